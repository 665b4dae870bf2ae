import { useState } from "preact/hooks";
import type { CheckDestinationResponseJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { useAttempt } from "../api/attempt.js";
import { checkDestination } from "../api/backups.js";
import { may } from "../api/may.js";
import { bytes } from "../text/format.js";
import { Notice } from "./notice.js";

/** Writes, reads and removes a small object at a destination, on demand. */
export function DestinationCheck({ uri }: { uri: string }) {
  const [found, setFound] = useState<CheckDestinationResponseJson>();
  const { isBusy, problem, attempt } = useAttempt();
  const check = () =>
    attempt(async () => {
      setFound(undefined);
      setFound(await checkDestination(uri));
    });
  if (!may("backup")) return null;
  return (
    <div class="check">
      <button type="button" aria-label={`Check ${uri}`} disabled={isBusy} onClick={check}>
        Check
      </button>
      {problem !== "" && <Notice kind="bad">{problem}</Notice>}
      {found && (
        <div role="status">
          <p class="good">
            It can be written and read
            {found.freeBytes !== undefined && `, ${bytes(found.freeBytes)} free`}.
          </p>
          <ul>
            {(found.features ?? []).map(({ name, enforced, consequence }) => (
              <li key={name}>
                {name}: {enforced ? "yes" : "no"}
                {consequence && <span class="warn">. {consequence}</span>}
              </li>
            ))}
            {!found.exclusive && <li class="warn">Other hosts can back up to it, too.</li>}
          </ul>
        </div>
      )}
    </div>
  );
}
