import { useState } from "preact/hooks";
import type {
  BackupPolicyJson,
  PreviewPolicyResponseJson,
} from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { useAttempt } from "../api/attempt.js";
import { previewPolicy } from "../api/policies.js";
import { retentionWords } from "../text/retention.js";
import { Notice } from "./notice.js";
import { RetentionPreview } from "./retention-preview.js";

/** What a policy keeps, and on demand what that means today. */
export function PolicyRetention({ policy }: { policy: BackupPolicyJson }) {
  const [preview, setPreview] = useState<PreviewPolicyResponseJson>();
  const { isBusy, problem, attempt } = useAttempt();
  const rules = retentionWords(policy);
  const look = () => attempt(async () => setPreview(await previewPolicy(policy.name ?? "")));
  return (
    <section>
      <h3>Retention</h3>
      {rules.length === 0 ? (
        <p>Keeps all backups.</p>
      ) : (
        <>
          <ul>
            {rules.map((one) => (
              <li key={one}>Keeps {one}</li>
            ))}
          </ul>
          <button type="button" disabled={isBusy} onClick={look}>
            What would go today
          </button>
        </>
      )}
      {problem !== "" && <Notice kind="bad">{problem}</Notice>}
      {preview && <RetentionPreview preview={preview} />}
    </section>
  );
}
