import type { OpenedIndexJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { useAttempt } from "../api/attempt.js";
import { refreshHost } from "../api/host-changes.js";
import { may } from "../api/may.js";
import { closeOpened } from "../api/opened.js";
import { bytes, counted } from "../text/format.js";
import { indexRoute } from "../text/routes.js";
import { Notice } from "./notice.js";
import { Time } from "./time.js";

/** Backups and points in time that are open beside the live index. */
export function OpenedIndexes({ opened }: { opened: OpenedIndexJson[] }) {
  const { isBusy, problem, attempt } = useAttempt();
  if (opened.length === 0) return null;
  return (
    <section class="card">
      <h2>Open beside the live index</h2>
      {problem !== "" && <Notice kind="bad">{problem}</Notice>}
      <ul class="plain">
        {opened.map((one) => (
          <li key={one.indexLink} class="row spread">
            <span>
              <a href={indexRoute(one.indexLink ?? "")}>{one.indexLink}</a>:{" "}
              {one.source === "" || one.source === undefined ? one.sourceIndexLink : one.source} as
              of <Time micros={one.targetTimeMicros} />,{" "}
              {counted(Number(one.documents ?? 0), "document")}, {bytes(one.sizeBytes)}; closes{" "}
              <Time micros={one.expireTimeMicros} />
            </span>
            {may("backup") && (
              <button
                type="button"
                disabled={isBusy}
                onClick={() =>
                  attempt(async () => {
                    await closeOpened(one.indexLink ?? "");
                    refreshHost();
                  })
                }
              >
                Close
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
