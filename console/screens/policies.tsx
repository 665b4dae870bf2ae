import { useEffect, useState } from "preact/hooks";
import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import type { BackupPolicyJson } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { listPolicies, metadataOf } from "../api/host.js";
import { may } from "../api/may.js";
import { usePolled } from "../api/polled.js";
import { Failure } from "../components/failure.js";
import { NeedsRole } from "../components/needs-role.js";
import { PolicyCard } from "../components/policy-card.js";
import { PolicyForm } from "../components/policy-form.js";

const intervalMs = 10_000;
/** While something runs, whose end somebody waits for. */
const runningIntervalMs = 2_000;

/** Shows what each policy does, when, and whether it does what it promises. */
export function Policies({ running }: { running: OperationJson[] }) {
  return (
    <>
      <h1>Policies</h1>
      {may("backup") ? <AllPolicies running={running} /> : <NeedsRole role="backup" />}
    </>
  );
}

function AllPolicies({ running }: { running: OperationJson[] }) {
  const [changes, setChanges] = useState(0);
  const [isRunning, setRunning] = useState(false);
  const { answer, error } = usePolled(listPolicies, isRunning ? runningIntervalMs : intervalMs, [
    changes,
    isRunning,
  ]);
  const onChanged = () => setChanges(changes + 1);
  const policies = answer?.policies ?? [];
  const runsNow = policies.some(({ status }) => status?.state === "POLICY_STATE_RUNNING");
  useEffect(() => setRunning(runsNow), [runsNow]);
  const used = policies.filter((one) => !isOff(one));
  const cardOf = (policy: BackupPolicyJson) => (
    <PolicyCard
      key={policy.name}
      policy={policy}
      running={running.filter((one) => metadataOf(one).policy === policy.name)}
      onChanged={onChanged}
    />
  );
  return (
    <>
      {error && <Failure error={error} role="backup" />}
      {used.map(cardOf)}
      {answer && used.length === 0 && (
        <section class="card">
          <h2>There are no policies</h2>
          <p>Nothing is backed up by itself. This command adds a policy:</p>
          <pre>holdfast policy add daily DIR|URI --cron "0 3 * * *" --keep-daily 14</pre>
        </section>
      )}
      {answer && may("admin") && <PolicyForm isOpen={used.length === 0} onCreated={onChanged} />}
      {policies.filter(isOff).map(cardOf)}
    </>
  );
}

/** The policy of automatic backups exists on every host; paused, it is not one that anybody made. */
const isOff = ({ status }: BackupPolicyJson) =>
  status?.source === "POLICY_SOURCE_BUILT_IN" && status.state === "POLICY_STATE_PAUSED";
