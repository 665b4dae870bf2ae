import { useState } from "preact/hooks";
import type {
  BackupPolicyJson,
  PolicyRunKindJson,
} from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { useAttempt } from "../api/attempt.js";
import { may } from "../api/may.js";
import { pausePolicy, removePolicy, resumePolicy, runPolicy } from "../api/policies.js";
import { Notice } from "./notice.js";

/** Runs, pauses and resumes a policy. */
export function PolicyActions({
  policy: { name = "", status, copies = [] },
  onChanged,
}: {
  policy: BackupPolicyJson;
  onChanged: () => void;
}) {
  const [kind, setKind] = useState<PolicyRunKindJson>("POLICY_RUN_KIND_BACKUP");
  const [isSure, setSure] = useState(false);
  const { isBusy, problem, attempt } = useAttempt();
  const act = (work: () => Promise<unknown>) =>
    attempt(async () => {
      await work();
      onChanged();
    });
  const isPaused = status?.state === "POLICY_STATE_PAUSED";
  // The host refuses to run its automatic backups by hand: they run by themselves.
  const isBuiltIn = status?.source === "POLICY_SOURCE_BUILT_IN";
  const kinds: [kind: PolicyRunKindJson, text: string][] = [
    ["POLICY_RUN_KIND_BACKUP", "a backup"],
    ...(copies.length > 0
      ? [["POLICY_RUN_KIND_COPY", "the copies"] satisfies [PolicyRunKindJson, string]]
      : []),
    ["POLICY_RUN_KIND_VERIFY", "a verification"],
    ["POLICY_RUN_KIND_RESTORE_TEST", "a restore test"],
  ];
  return (
    <>
      <div class="row">
        {may("backup") && !isBuiltIn && (
          <>
            <select
              aria-label="What to run"
              value={kind}
              onChange={(event) => setKind(event.currentTarget.value as PolicyRunKindJson)}
            >
              {kinds.map(([value, text]) => (
                <option key={value} value={value}>
                  {text}
                </option>
              ))}
            </select>
            <button
              type="button"
              disabled={isBusy}
              onClick={() => act(() => runPolicy(name, kind))}
            >
              Run now
            </button>
          </>
        )}
        {may("admin") && (
          <button
            type="button"
            disabled={isBusy}
            onClick={() => act(() => (isPaused ? resumePolicy(name) : pausePolicy(name)))}
          >
            {isPaused ? "Resume" : "Pause"}
          </button>
        )}
        {may("admin") && status?.source === "POLICY_SOURCE_API" && (
          <button type="button" disabled={isBusy} onClick={() => setSure(!isSure)}>
            {isSure ? "Keep it" : "Remove"}
          </button>
        )}
        {isSure && (
          <button
            type="button"
            class="danger"
            disabled={isBusy}
            onClick={() => act(() => removePolicy(name))}
          >
            Remove {name}; its backups stay
          </button>
        )}
      </div>
      {problem !== "" && <Notice kind="bad">{problem}</Notice>}
    </>
  );
}
