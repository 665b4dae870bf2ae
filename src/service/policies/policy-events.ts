import type { Delivery } from "../../notification/delivery.js";
import type { PolicyEventType } from "../../notification/event.js";
import type { Notifications } from "../../notification/notifications.js";
import { formatTime } from "../../io/time.js";
import type { PolicySpec, RunKind } from "../../policy/policy.js";
import type { PolicyProblem } from "./policy-health.js";
import { errorOf, type PolicyRun } from "./policy-run.js";

/** Options of PolicyEvents. */
export interface PolicyEventsOptions {
  hostId: string;
  nowMicros(): number;
  notifications: Notifications;
  /** Called if an event cannot be queued durably. It is sent all the same, unless the host stops. */
  onProblem(error: unknown): void;
}

const eventOf: Partial<Record<PolicyProblem["kind"], PolicyEventType>> = {
  overdue: "policy.overdue",
  window: "policy.window.unmet",
  lag: "policy.copy.lagging",
  gone: "policy.damage.found",
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
      if (run.kind === "BACKUP") this.options.notifications.heartbeat(spec.name, spec.heartbeats);
      return;
    }
    const facts = { ...details, reason: error.reason };
    const isDamage = error.reason === "BACKUP_DAMAGED";
    if (isDamage) this.send(spec, "policy.damage.found", error.message, facts);
    // Retries repeat a failure. Damage is not retried.
    if (failuresBefore > 0 && !isDamage) return;
    if (run.kind === "RESTORE_TEST")
      this.send(spec, "policy.restore_test.failed", error.message, facts);
    else if (!isDamage) this.send(spec, "policy.run.failed", error.message, facts);
  }

  /** Reports that continuous backups start to fail. */
  failed(spec: PolicySpec, { reason, message }: { reason: string; message: string }): void {
    this.send(spec, "policy.run.failed", message, { kind: "BACKUP", reason });
  }

  /** Reports a continuous backup. */
  succeeded(spec: PolicySpec, failuresBefore: number): void {
    if (failuresBefore > 0)
      this.send(spec, "policy.recovered", `${spec.name} works again.`, { kind: "BACKUP" });
    this.options.notifications.heartbeat(spec.name, spec.heartbeats);
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

  /** Sends a test event to all webhooks of a policy. Resolves when it is queued durably. */
  test(spec: PolicySpec): Promise<Delivery[]> {
    const message = `This is a test of the notifications of policy ${spec.name}.`;
    return this.queue(spec, "policy.test", message, {});
  }

  private send(
    ...event: [PolicySpec, PolicyEventType, string, Record<string, string | number>]
  ): void {
    this.queue(...event).catch(this.options.onProblem);
  }

  private queue(
    { name, indexLink, webhooks }: PolicySpec,
    type: PolicyEventType,
    message: string,
    details: Record<string, string | number>,
  ): Promise<Delivery[]> {
    const { hostId, nowMicros, notifications } = this.options;
    const event = {
      type,
      timeMicros: nowMicros(),
      policy: name,
      indexLink,
      host: hostId,
      message,
      details,
    };
    return notifications.notify(event, webhooks);
  }
}

function summaryOf({ steps }: PolicyRun): string {
  return steps.map(({ kind, destination }) => `${kind} ${destination}`).join(", ");
}
