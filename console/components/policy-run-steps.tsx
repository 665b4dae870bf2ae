import type { PolicyRunStepJson } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { bytes, counted, duration } from "../text/format.js";

/** What a run did at each destination. */
export function PolicyRunSteps({ steps }: { steps: PolicyRunStepJson[] }) {
  return (
    <ul class="plain">
      {steps.map((one) => {
        const { kind, destination, error, warnings = [] } = one;
        return (
          <li key={`${kind} ${destination}`}>
            {kind} <span class="muted">{destination}</span>: {error ? "failed" : resultOf(one)}
            {error && <div class="bad">{error}</div>}
            {warnings.map((warning) => (
              <div key={warning} class="warn">
                {warning}
              </div>
            ))}
          </li>
        );
      })}
    </ul>
  );
}

function resultOf({ kind, removedBackups = [], ...step }: PolicyRunStepJson): string {
  const size = bytes(step.bytes);
  const took = duration(Number(step.durationMicros ?? 0));
  if (kind === "retention")
    return removedBackups.length === 0
      ? "nothing went"
      : `${counted(removedBackups.length, "backup")} went, ${size} freed`;
  return Number(step.bytes ?? 0) > 0 ? `${size} in ${took}` : took;
}
