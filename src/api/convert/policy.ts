import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationText, parseDuration } from "../../policy/duration.js";
import type { RunKind, PolicySpec } from "../../policy/policy.js";
import type { RetentionRules } from "../../policy/retention.js";
import type { Schedule } from "../../policy/schedule.js";
import {
  Acknowledge,
  PolicyRunKind,
  PolicyRunReason,
  PolicyRunState,
  PolicySource,
  PolicyState,
  WhenUnreachable,
  type BackupPolicy,
  type BackupPolicySchema,
  type DeliverySchema,
  type PolicyDestinationSchema,
  type PolicyRetention,
  type PolicyRetentionSchema,
  type PolicyRunSchema,
  type PolicySchedule,
  type PolicyScheduleSchema,
  type PolicyStatusSchema,
} from "../../../gen/ts/holdfast/management/v1/policy_pb.js";
import { VerifyLevel } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Delivery } from "../../notification/delivery.js";
import { durableIndexLink } from "../../service/documents/factories.js";
import type { DestinationProgress } from "../../service/policies/policy-progress.js";
import type { PolicyRun } from "../../service/policies/policy-run.js";
import type { PolicyView } from "../../service/policies/policy-service.js";
import { withoutSecrets } from "../../security/secrets.js";
import { toVerification } from "./backup.js";
import { fromCompression, toCompression } from "./encryption.js";
import { fromVerifyLevel } from "./inspection.js";
import { toInt64 } from "./numbers.js";

/** Converts a policy as its owner states it. Throws REQUEST_INVALID for an invalid duration. */
export function fromPolicy(message: BackupPolicy): PolicySpec {
  const timeZone = message.schedule?.timeZone || "UTC";
  const { retention, verify, restoreTest, notify } = message;
  return {
    name: message.name,
    indexLink: message.indexLink || durableIndexLink,
    destination: message.destination,
    ...fromCompression(message.compression),
    recipients: message.recipients,
    schedule: fromSchedule(message.schedule, "schedule", timeZone),
    timeZone,
    jitterMs: parseDurationField(message.jitter, "jitter") ?? 0,
    ...(retention && { retention: fromRetention(retention) }),
    ...optional("windowMs", message.window, "window"),
    copies: message.copies.map(({ destination, schedule, maxLag }, i) => ({
      destination,
      ...(schedule && { schedule: fromSchedule(schedule, `copies[${i}].schedule`, timeZone) }),
      ...optional("maxLagMs", maxLag, `copies[${i}].max_lag`),
    })),
    ...(verify && {
      verify: {
        schedule: fromSchedule(verify.schedule, "verify.schedule", timeZone),
        level: fromVerifyLevel(verify.level),
      },
    }),
    ...(restoreTest && {
      restoreTest: {
        schedule: fromSchedule(restoreTest.schedule, "restore_test.schedule", timeZone),
      },
    }),
    ...optional("maxAgeMs", message.maxAge, "max_age"),
    webhooks: (notify?.webhooks ?? []).map(({ url, secret, events }) => ({ url, secret, events })),
    heartbeats: notify?.heartbeats ?? [],
    acknowledge: message.acknowledge === Acknowledge.COPIED ? "COPIED" : "LOCAL",
    whenUnreachable: message.whenUnreachable === WhenUnreachable.DEGRADE ? "DEGRADE" : "FAIL",
  };
}

/** An empty text is no duration. */
function parseDurationField(text: string, field: string): number | undefined {
  return text === "" ? undefined : parseDuration(text, field);
}

function durationField(ms: number | undefined): string {
  return ms === undefined ? "" : durationText(ms);
}

function optional<Name extends string>(name: Name, text: string, field: string) {
  const ms = parseDurationField(text, field);
  return ms === undefined ? {} : ({ [name]: ms } as Record<Name, number>);
}

function fromSchedule(
  schedule: PolicySchedule | undefined,
  field: string,
  timeZone: string,
): Schedule {
  const when = schedule?.when;
  switch (when?.case) {
    case "cron":
      return {
        kind: "cron",
        expression: when.value,
        timeZone: schedule?.timeZone || timeZone,
      };
    case "interval":
      return {
        kind: "interval",
        everyMs: parseDurationField(when.value, `${field}.interval`) ?? 0,
      };
    default:
      return { kind: "continuous" };
  }
}

/** Converts rules of retention. A count of 0 is no rule. */
export function fromRetention(message: PolicyRetention): RetentionRules {
  const { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly } = message;
  const counts = { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly };
  return {
    ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
    ...optional("keepWithinMs", message.keepWithin, "retention.keep_within"),
  };
}

/** Converts a policy with its status. Secrets of webhooks are left out. */
export function toPolicy(view: PolicyView): MessageInitShape<typeof BackupPolicySchema> {
  const { spec, revision } = view.policy;
  const { verify, restoreTest } = spec;
  return {
    name: spec.name,
    indexLink: spec.indexLink,
    destination: spec.destination,
    ...(spec.compression && { compression: toCompression(spec.compression) }),
    recipients: spec.recipients,
    schedule: toSchedule(spec.schedule, spec.timeZone),
    jitter: spec.jitterMs === 0 ? "" : durationField(spec.jitterMs),
    ...(spec.retention && { retention: toRetention(spec.retention) }),
    window: durationField(spec.windowMs),
    copies: spec.copies.map(({ destination, schedule, maxLagMs }) => ({
      destination,
      ...(schedule && { schedule: toSchedule(schedule, spec.timeZone) }),
      maxLag: durationField(maxLagMs),
    })),
    ...(verify && {
      verify: {
        schedule: toSchedule(verify.schedule, spec.timeZone),
        level: VerifyLevel[verify.level],
      },
    }),
    ...(restoreTest && {
      restoreTest: { schedule: toSchedule(restoreTest.schedule, spec.timeZone) },
    }),
    maxAge: durationField(spec.maxAgeMs),
    ...((spec.webhooks.length > 0 || spec.heartbeats.length > 0) && {
      notify: {
        webhooks: spec.webhooks.map(({ url, events }) => ({ url: withoutSecrets(url), events })),
        heartbeats: spec.heartbeats.map(withoutSecrets),
      },
    }),
    ...(spec.schedule.kind === "continuous" && {
      acknowledge: Acknowledge[spec.acknowledge],
      whenUnreachable: WhenUnreachable[spec.whenUnreachable],
    }),
    etag: revision === 0 ? "" : String(revision),
    status: toStatus(view),
  };
}

function toSchedule(
  schedule: Schedule,
  timeZone: string,
): MessageInitShape<typeof PolicyScheduleSchema> {
  switch (schedule.kind) {
    case "cron":
      return {
        when: { case: "cron", value: schedule.expression },
        timeZone: schedule.timeZone,
      };
    case "interval":
      return { when: { case: "interval", value: durationField(schedule.everyMs) }, timeZone };
    case "continuous":
      return { when: { case: "continuous", value: true }, timeZone };
  }
}

function toRetention({
  keepWithinMs,
  ...counts
}: RetentionRules): MessageInitShape<typeof PolicyRetentionSchema> {
  return { ...counts, keepWithin: durationField(keepWithinMs) };
}

function toStatus(view: PolicyView): MessageInitShape<typeof PolicyStatusSchema> {
  const { policy, progress, problems, state } = view;
  const failures = Object.values(progress.failures).sort((a, b) => b.timeMicros - a.timeMicros);
  const primary = progress.destinations[view.uris[0] ?? ""];
  return {
    state: PolicyState[state],
    source: PolicySource[policy.origin],
    healthy: problems.length === 0,
    problems: problems.map(({ message }) => message),
    nextRunsMicros: view.nextRunsMicros.map(toInt64),
    otherRuns: view.otherRuns.map(({ kind, destination, timeMicros }) => ({
      kind: PolicyRunKind[kind],
      destination,
      timeMicros: toInt64(timeMicros),
    })),
    lastSuccessMicros: toInt64(progress.lastSuccessMicros),
    lastFailureMicros: toInt64(failures[0]?.timeMicros ?? 0),
    lastError: failures[0]?.message ?? "",
    failuresInARow: progress.failures["BACKUP"]?.count ?? 0,
    retryMicros: toInt64(view.retryMicros),
    windowFromMicros: toInt64(primary?.windowFromMicros ?? 0),
    windowToMicros: toInt64(primary?.windowToMicros ?? 0),
    skippedRuns: toInt64(progress.skippedRuns),
    missedRuns: toInt64(progress.missedRuns),
    destinations: view.uris.map((uri, i) =>
      toDestination(uri, i > 0, progress.destinations[uri], view.nowMicros),
    ),
    createTimeMicros: toInt64(policy.createTimeMicros),
    updateTimeMicros: toInt64(policy.updateTimeMicros),
    degraded: view.degraded,
    warnings: view.warnings,
    heartbeats: view.heartbeats.map(({ url, lastSuccessMicros, lastFailureMicros, lastError }) => ({
      url,
      lastSuccessMicros: toInt64(lastSuccessMicros),
      lastFailureMicros: toInt64(lastFailureMicros),
      lastError,
    })),
  };
}

function toDestination(
  uri: string,
  copy: boolean,
  known: DestinationProgress | undefined,
  nowMicros: number,
): MessageInitShape<typeof PolicyDestinationSchema> {
  if (!known) return { uri, copy };
  const { lastVerification, lastRestoreTest, behindSinceMicros } = known;
  return {
    uri,
    copy,
    backupName: known.backupName,
    positionMicros: toInt64(known.positionMicros),
    lastSuccessMicros: toInt64(known.lastSuccessMicros),
    lastError: known.lastError,
    lagMicros: toInt64(behindSinceMicros === 0 ? 0 : Math.max(0, nowMicros - behindSinceMicros)),
    ...(lastVerification && { lastVerification: toVerification(lastVerification) }),
    ...(lastRestoreTest && {
      lastRestoreTest: {
        ...lastRestoreTest,
        timeMicros: toInt64(lastRestoreTest.timeMicros),
        documents: toInt64(lastRestoreTest.documents),
        restoreMicros: toInt64(lastRestoreTest.restoreMicros),
        problem: lastRestoreTest.problem ?? "",
      },
    }),
    lastProvenRestoreMicros: toInt64(known.lastProvenRestoreMicros),
  };
}

const runKinds: Record<PolicyRunKind, RunKind> = {
  [PolicyRunKind.UNSPECIFIED]: "BACKUP",
  [PolicyRunKind.BACKUP]: "BACKUP",
  [PolicyRunKind.VERIFY]: "VERIFY",
  [PolicyRunKind.RESTORE_TEST]: "RESTORE_TEST",
  [PolicyRunKind.COPY]: "COPY",
};

/** Converts the kind of a run. */
export const fromRunKind = (kind: PolicyRunKind): RunKind => runKinds[kind];

/** Converts a run. */
export function toPolicyRun(run: PolicyRun): MessageInitShape<typeof PolicyRunSchema> {
  return {
    id: run.id,
    policy: run.policy,
    kind: PolicyRunKind[run.kind],
    reason: PolicyRunReason[run.reason],
    state: PolicyRunState[run.state],
    startTimeMicros: toInt64(run.startTimeMicros),
    endTimeMicros: toInt64(run.endTimeMicros),
    steps: run.steps.map((step) => ({
      kind: step.kind,
      destination: step.destination,
      operation: step.operation ?? "",
      backupName: step.backupName ?? "",
      durationMicros: toInt64(step.durationMicros),
      bytes: toInt64(step.bytes),
      removedBackups: step.removedBackups,
      copiedBackups: step.copiedBackups ?? [],
      error: step.error?.message ?? "",
      errorReason: step.error?.reason ?? "",
      warnings: step.warnings,
    })),
  };
}

/** Converts a delivery of a notification. */
export function toDelivery(delivery: Delivery): MessageInitShape<typeof DeliverySchema> {
  const { createTimeMicros, lastAttemptMicros, nextAttemptMicros, ...same } = delivery;
  return {
    ...same,
    createTimeMicros: toInt64(createTimeMicros),
    lastAttemptMicros: toInt64(lastAttemptMicros),
    nextAttemptMicros: toInt64(nextAttemptMicros),
  };
}
