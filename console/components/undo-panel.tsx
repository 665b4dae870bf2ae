import { useState } from "preact/hooks";
import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import { useAttempt } from "../api/attempt.js";
import { follow } from "../api/follow.js";
import { restoreResultOf, startUndo } from "../api/host.js";
import { lastRestoreOf } from "../api/last-restore.js";
import { may } from "../api/may.js";
import { counted, localTime } from "../text/format.js";
import { Notice } from "./notice.js";
import { OperationProgress } from "./operation-progress.js";
import { Time } from "./time.js";

/** Says what the last restore was, and undoes it, or its undo. */
export function UndoPanel({
  operations,
  indexLink,
}: {
  operations: OperationJson[];
  indexLink: string;
}) {
  const last = lastRestoreOf(operations, indexLink);
  if (!last) return null;
  const { result, isUndo, endMicros } = last;
  const target = Number(result.targetTimeMicros ?? result.positionMicros ?? 0);
  return (
    <section class="card">
      <h2>Last restore</h2>
      <p>
        {result.selection
          ? `Documents of ${indexLink} were restored`
          : isUndo
            ? `A restore of ${indexLink} was undone`
            : `${indexLink} was restored to ${localTime(target)}`}{" "}
        on <Time micros={endMicros} />.
      </p>
      {result.selection ? (
        <p class="muted">
          It wrote new versions, which an undo does not revert: restore these documents to the
          moment before it.
        </p>
      ) : (
        may("restore") && (
          <Undo
            key={result.lineage}
            indexLink={indexLink}
            lineage={result.lineage ?? ""}
            isUndo={isUndo}
          />
        )
      )}
    </section>
  );
}

/** Undoes one restore, and no other, once a person knows what is left out. */
function Undo({
  indexLink,
  lineage,
  isUndo,
}: {
  indexLink: string;
  lineage: string;
  isUndo: boolean;
}) {
  const [operation, setOperation] = useState<OperationJson>();
  const [discarded, setDiscarded] = useState<number>();
  const { isBusy, problem, attempt } = useAttempt();
  const what = isUndo ? "Restore it again" : "Undo the restore";
  const run = (validateOnly: boolean) =>
    attempt(async (signal) => {
      const started = await startUndo({ indexLink, ifLineage: lineage, validateOnly });
      const done = await follow(started, setOperation, signal);
      setDiscarded(
        validateOnly ? Number(restoreResultOf(done).plan?.discardedVersions ?? 0) : undefined,
      );
    });
  return (
    <div aria-live="polite">
      {discarded === undefined ? (
        <button type="button" disabled={isBusy} onClick={() => run(true)}>
          {what}
        </button>
      ) : (
        <>
          <p>
            {discarded === 0
              ? "Nothing was written since, so nothing is left out."
              : `${counted(discarded, "change")} since then would be left out. Undoing the undo brings them back.`}
          </p>
          <div class="row">
            <button type="button" class="danger" disabled={isBusy} onClick={() => run(false)}>
              {what} now
            </button>
            <button type="button" disabled={isBusy} onClick={() => setDiscarded(undefined)}>
              Keep it
            </button>
          </div>
        </>
      )}
      {isBusy && <OperationProgress what={what} operation={operation} />}
      {problem !== "" && <Notice kind="bad">{problem}</Notice>}
    </div>
  );
}
