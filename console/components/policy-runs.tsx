import { useState } from "preact/hooks";
import type { PolicyRunJson } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { listPolicyRuns } from "../api/policies.js";
import { usePolled } from "../api/polled.js";
import { duration } from "../text/format.js";
import { nameOf } from "../text/names.js";
import { Notice } from "./notice.js";
import { PolicyRunSteps } from "./policy-run-steps.js";
import { Time } from "./time.js";

const step = 10;
const intervalMs = 10_000;
const runningIntervalMs = 2_000;

/** What a policy did, newest first, with errors. */
export function PolicyRuns({
  name,
  changes,
  isRunning,
}: {
  name: string;
  /** Asks anew when it changes. */
  changes: number;
  isRunning: boolean;
}) {
  const [shown, setShown] = useState(step);
  const { answer, error } = usePolled(
    (signal) => listPolicyRuns(name, shown, signal),
    isRunning ? runningIntervalMs : intervalMs,
    [name, shown, changes, isRunning],
  );
  const runs = answer?.runs ?? [];
  return (
    <>
      {error && <Notice kind="bad">{error.message}</Notice>}
      {answer && runs.length === 0 && <p>It has not run yet.</p>}
      {runs.length > 0 && (
        <table class="stack">
          <thead>
            <tr>
              <th scope="col">Began</th>
              <th scope="col">Run</th>
              <th scope="col">Took</th>
              <th scope="col">Result</th>
              <th scope="col">What it did</th>
            </tr>
          </thead>
          <tbody>
            {runs.map((run) => (
              <Run key={run.id} run={run} />
            ))}
          </tbody>
        </table>
      )}
      {answer?.nextPageToken && (
        <button type="button" onClick={() => setShown(shown + step)}>
          Show older runs
        </button>
      )}
    </>
  );
}

const kinds: Readonly<Record<string, string>> = {
  POLICY_RUN_STATE_SUCCEEDED: "good",
  POLICY_RUN_STATE_FAILED: "bad",
  POLICY_RUN_STATE_INTERRUPTED: "warn",
};

function Run({ run }: { run: PolicyRunJson }) {
  const { kind, reason, state, startTimeMicros, endTimeMicros, steps = [] } = run;
  const end = Number(endTimeMicros ?? 0);
  return (
    <tr>
      <th scope="row" data-label="Began">
        <Time micros={startTimeMicros} />
      </th>
      <td data-label="Run">
        {nameOf(kind, "POLICY_RUN_KIND_")}{" "}
        <span class="muted">{nameOf(reason, "POLICY_RUN_REASON_")}</span>
      </td>
      <td data-label="Took">{end > 0 && duration(end - Number(startTimeMicros ?? 0))}</td>
      <td data-label="Result" class={kinds[state ?? ""] ?? ""}>
        {nameOf(state, "POLICY_RUN_STATE_")}
      </td>
      <td data-label="What it did">
        <PolicyRunSteps steps={steps} />
      </td>
    </tr>
  );
}
