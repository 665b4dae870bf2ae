import { useState } from "preact/hooks";
import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import type {
  IndexPointInTimeJson,
  OpenedIndexJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { useAttempt } from "../api/attempt.js";
import { follow } from "../api/follow.js";
import { refreshHost } from "../api/host-changes.js";
import { may } from "../api/may.js";
import { openedOf, startOpen } from "../api/opened.js";
import { counted } from "../text/format.js";
import { indexRoute } from "../text/routes.js";
import { NeedsRole } from "./needs-role.js";
import { Notice } from "./notice.js";
import { OperationProgress } from "./operation-progress.js";
import { Time } from "./time.js";

/** Opens a backup, or a point in time of an index, as a read-only index of its own. */
export function OpenBeside({
  pointInTime,
}: {
  /** Undefined: none is chosen yet. */
  pointInTime: IndexPointInTimeJson | undefined;
}) {
  const [operation, setOperation] = useState<OperationJson>();
  const [opened, setOpened] = useState<OpenedIndexJson>();
  const { isBusy, problem, attempt } = useAttempt();
  if (!may("backup")) return <NeedsRole role="backup" />;
  const open = () =>
    attempt(async (signal) => {
      const done = await follow(
        await startOpen({ ...(pointInTime && { pointInTime }) }),
        setOperation,
        signal,
      );
      setOpened(openedOf(done));
      refreshHost();
    });
  return (
    <>
      <p class="muted">
        The host keeps a copy for 72 hours. Nothing is written to it or to the live index.
      </p>
      <div class="row">
        <button type="button" disabled={isBusy || pointInTime === undefined} onClick={open}>
          Open beside the live index
        </button>
      </div>
      <div aria-live="polite">
        {isBusy && <OperationProgress what="Opening" operation={operation} />}
        {problem !== "" && <Notice kind="bad">{problem}</Notice>}
        {opened && !isBusy && (
          <Notice kind="good">
            <a href={indexRoute(opened.indexLink ?? "")}>Look at {opened.indexLink}</a>:{" "}
            {counted(Number(opened.documents ?? 0), "document")} as of{" "}
            <Time micros={opened.targetTimeMicros} />.
          </Notice>
        )}
      </div>
    </>
  );
}
