import type { Deliveries } from "../../notification/deliveries.js";
import type { EventType } from "../../notification/event.js";
import type { Heartbeats } from "../../notification/heartbeats.js";
import { formatTime } from "../../io/time.js";
import type { PolicySpec, RunKind } from "../../policy/policy.js";
import type { PolicyProblem } from "./policy-health.js";
import { errorOf, type PolicyRun } from "./policy-run.js";

/** Options of PolicyEvents. */
export interface PolicyEventsOptions {
  hostId: string;
  nowMicros(): number;
  deliveries: Deliveries;
  heartbeats: Heartbeats;
}

const eventOf: Partial<Record<PolicyProblem["kind"], EventType>> = {
  overdue: "policy.overdue",
  window: "policy.window.unmet",
  lag: "policy.copy.lagging",
};

/** Tells webhooks and heartbeats what happens to policies: changes, not states that last. */
export class PolicyEvents {
  /** Kinds of problems that each policy had when it was last looked at. */
  private readonly known = new Map<string, ReadonlySet<string>>();

  constructor(private readonly options: PolicyEventsOptions) {}

  /** Reports a run that has ended; `failuresBefore` is the number of failed runs of its kind before it. */
  ended(spec: PolicySpec, run: PolicyRun, failuresBefore: number): void {
    const error = errorOf(run);
    const details = { run: run.id, kind: run.kind };
    if (error === undefined) {
      if (failuresBefore > 0)
        this.send(spec, "policy.recovered", `${spec.name} works again.`, details);
      this.send(spec, "policy.run.succeeded", summaryOf(run), {
        ...details,
        backup: run.steps[0]?.backupName ?? "",
      });
      if (run.kind === "BACKUP") this.options.heartbeats.beat(spec.name, spec.heartbeats);
      return;
    }
    const facts = { ...details, reason: error.reason };
    if (error.reason === "BACKUP_DAMAGED")
      this.send(spec, "policy.damage.found", error.message, facts);
    if (run.kind === "RESTORE_TEST")
      this.send(spec, "policy.restore_test.failed", error.message, facts);
    // Retries repeat the failure.
    else if (failuresBefore === 0 && error.reason !== "BACKUP_DAMAGED")
      this.send(spec, "policy.run.failed", error.message, facts);
  }

  missed(spec: PolicySpec, kind: RunKind, dueMs: number): void {
    const time = formatTime(dueMs * 1000);
    this.send(
      spec,
      "policy.schedule.missed",
      `The run of ${time} was missed while the host was down. It is made up now.`,
      { kind, time },
    );
  }

  /** Reports problems that a policy did not have before. */
  problems(spec: PolicySpec, problems: readonly PolicyProblem[]): void {
    const before = this.known.get(spec.name) ?? new Set();
    for (const { kind, message } of problems) {
      const type = eventOf[kind];
      if (type !== undefined && !before.has(kind)) this.send(spec, type, message, {});
    }
    this.known.set(spec.name, new Set(problems.map(({ kind }) => kind)));
  }

  forget(policy: string): void {
    this.known.delete(policy);
  }

  /** Sends an event to the webhooks of a policy that want it. */
  send(
    { name, indexLink }: PolicySpec,
    type: EventType,
    message: string,
    details: Record<string, string | number>,
  ) {
    const { hostId, nowMicros, deliveries } = this.options;
    return deliveries.notify({
      type,
      timeMicros: nowMicros(),
      policy: name,
      indexLink,
      hostId,
      message,
      details,
    });
  }
}

function summaryOf({ steps }: PolicyRun): string {
  return steps.map(({ kind, destination }) => `${kind} ${destination}`).join(", ");
}
