import { useState } from "preact/hooks";
import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import type { BackupPolicyJson } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { metadataOf } from "../api/host.js";
import { durableIndex, nameOf } from "../text/names.js";
import { Notice } from "./notice.js";
import { OnDemand } from "./on-demand.js";
import { OperationProgress } from "./operation-progress.js";
import { PolicyActions } from "./policy-actions.js";
import { PolicyDeliveries } from "./policy-deliveries.js";
import { PolicyDestinations } from "./policy-destinations.js";
import { PolicyRetention } from "./policy-retention.js";
import { PolicyRuns } from "./policy-runs.js";
import { PolicySchedule } from "./policy-schedule.js";

const sources: Readonly<Record<string, string>> = {
  POLICY_SOURCE_FILE: "Defined in the policy file of the host.",
  POLICY_SOURCE_BUILT_IN: "The automatic backups of the host.",
};

/** A policy: what it does, whether it does it, and what it did. */
export function PolicyCard({
  policy,
  running,
  onChanged,
}: {
  policy: BackupPolicyJson;
  running: OperationJson[];
  onChanged: () => void;
}) {
  const { name = "", status = {}, notify } = policy;
  const { state, healthy, problems = [], warnings = [], source, lastError, degraded } = status;
  // A run that was started here is one of the runs, which are then looked at.
  const [started, setStarted] = useState(0);
  const isPaused = state === "POLICY_STATE_PAUSED";
  return (
    <section class="card" aria-label={`Policy ${name}`}>
      <div class="row spread">
        <h2 class="name">{name}</h2>
        <span class={isPaused ? "pill warn" : "pill"}>{nameOf(state, "POLICY_STATE_")}</span>
        <span class={healthy ? "pill good" : "pill bad"}>{healthy ? "healthy" : "unhealthy"}</span>
      </div>
      <p class="muted">
        {policy.indexLink ?? durableIndex}. {sources[source ?? ""]}
      </p>
      {problems.map((one) => (
        <Notice key={one} kind="bad">
          {one}
        </Notice>
      ))}
      {/* A problem says the same. */}
      {lastError && !problems.some((one) => one.includes(lastError)) && (
        <Notice kind="bad">{lastError}</Notice>
      )}
      {degraded && (
        <Notice kind="warn">
          Writes are acknowledged before they are copied: the destination is unreachable.
        </Notice>
      )}
      {warnings.map((one) => (
        <Notice key={one} kind="warn">
          {one}
        </Notice>
      ))}
      <PolicyActions
        policy={policy}
        onChanged={() => {
          setStarted(started + 1);
          onChanged();
        }}
      />
      {running.map((operation) => (
        <OperationProgress
          key={operation.name}
          what={nameOf(metadataOf(operation).kind, "OPERATION_KIND_")}
          operation={operation}
        />
      ))}
      <PolicySchedule policy={policy} />
      <PolicyDestinations status={status} />
      <PolicyRetention policy={policy} />
      <OnDemand title="Recent runs" isOpen={started > 0}>
        <PolicyRuns name={name} changes={started} isRunning={state === "POLICY_STATE_RUNNING"} />
      </OnDemand>
      {(notify?.webhooks ?? []).length > 0 && (
        <OnDemand title="Notifications">
          <PolicyDeliveries name={name} />
        </OnDemand>
      )}
    </section>
  );
}
