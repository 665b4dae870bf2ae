import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import { metadataOf } from "../api/host.js";
import { bytes, count, duration } from "../text/format.js";

/** How far an operation is. */
export function OperationProgress({
  what,
  operation,
}: {
  what: string;
  operation: OperationJson | undefined;
}) {
  const metadata = operation ? metadataOf(operation) : {};
  const [done, total] = [Number(metadata.bytesDone ?? 0), Number(metadata.bytesTotal ?? 0)];
  const remaining = Number(metadata.remainingMicros ?? 0);
  return (
    <div class="progress">
      <p>
        <strong>{what}</strong> {metadata.stage}
        {remaining > 0 && `, ${duration(remaining)} left`}
      </p>
      <progress aria-label={what} {...(total > 0 && { value: done, max: total })} />
      <p class="muted">
        {total > 0 && `${bytes(done)} of ${bytes(total)} `}
        {Number(metadata.documentsDone ?? 0) > 0 && `${count(metadata.documentsDone)} documents`}
      </p>
    </div>
  );
}
