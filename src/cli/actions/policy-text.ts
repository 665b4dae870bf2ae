import { Compression, VerifyLevel } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import {
  Acknowledge,
  PolicyRunKind,
  PolicySource,
  PolicyState,
  WhenUnreachable,
  type BackupPolicy,
  type PolicyRetention,
  type PolicySchedule,
  type PolicyStatus,
} from "../../../gen/ts/holdfast/management/v1/policy_pb.js";
import type { CommandContext } from "../command-context.js";
import { displayUri } from "../destination-uri.js";
import { formatAge, formatDuration } from "../output/format.js";
import { list, table } from "../output/table.js";
import { nowMicros } from "../time.js";
import { destinationTable } from "./policy-destinations.js";

type Times = Pick<CommandContext, "formatTime">;
type Line = [name: string, value: string];

const sources: Partial<Record<PolicySource, string>> = {
  [PolicySource.FILE]: ", defined in the policy file of the host",
  [PolicySource.BUILT_IN]: ", built in",
};

const enumText = (name: string | undefined) =>
  (name ?? "unknown").toLowerCase().replaceAll("_", "-");

const stateText = (status: PolicyStatus | undefined): string =>
  enumText(PolicyState[status?.state ?? PolicyState.UNSPECIFIED]);

/** Formats policies as a table. */
export function policyTable(policies: readonly BackupPolicy[], now = nowMicros()): string {
  const columns = [
    { head: "POLICY" },
    { head: "STATE" },
    { head: "LAST SUCCESS" },
    { head: "NEXT RUN" },
    { head: "WINDOW" },
    { head: "LAST PROVEN RESTORE" },
    { head: "HEALTH" },
  ];
  return table(
    columns,
    policies.map((policy) => {
      const { status } = policy;
      return [
        policy.name,
        stateText(status),
        formatAge(status?.lastSuccessMicros ?? 0n, now),
        nextRunText(policy, now),
        windowText(policy),
        formatAge(lastProvenRestore(status), now),
        healthText(status),
      ];
    }),
  );
}

/** Formats all of a policy that is for people: settings, status, destinations and problems. */
export function policyText(context: Times, policy: BackupPolicy, now = nowMicros()): string {
  const { status } = policy;
  return [
    list([...settingLines(policy), ...statusLines(context, policy, now)]),
    status && status.destinations.length > 0 ? destinationTable(status.destinations, now) : "",
    ...(status?.problems ?? []).map((problem) => `Problem: ${problem}`),
    ...(status?.warnings ?? []).map((warning) => `Warning: ${warning}`),
    status?.degraded
      ? "Warning: writes are acknowledged before they are copied, since the destination is unreachable."
      : "",
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function settingLines(policy: BackupPolicy): Line[] {
  const { verify, restoreTest, notify, status } = policy;
  const lines: (Line | undefined)[] = [
    ["policy", `${policy.name}${sources[status?.source ?? PolicySource.UNSPECIFIED] ?? ""}`],
    ["index", policy.indexLink || "/core/document-index"],
    ["destination", displayUri(policy.destination)],
    ["schedule", scheduleText(policy.schedule)],
    policy.jitter === "" ? undefined : ["jitter", `up to ${policy.jitter}`],
    policy.compression === Compression.UNSPECIFIED
      ? undefined
      : ["compression", enumText(Compression[policy.compression])],
    policy.recipients.length === 0 ? undefined : ["encrypted to", policy.recipients.join(", ")],
    ["retention", retentionText(policy.retention)],
    ...policy.copies.map(({ destination, schedule, maxLag }): Line => [
      "copy",
      `${displayUri(destination)}, ${schedule ? scheduleText(schedule) : "after each run"}${maxLag === "" ? "" : `, at most ${maxLag} behind`}`,
    ]),
    verify && [
      "verify",
      `${enumText(VerifyLevel[verify.level || VerifyLevel.FULL])}, ${scheduleText(verify.schedule)}`,
    ],
    restoreTest && ["restore test", scheduleText(restoreTest.schedule)],
    policy.maxAge === "" ? undefined : ["maximum age", policy.maxAge],
    // The query and the user of a URL may be secret.
    ...(notify?.webhooks ?? []).map(({ url, events }): Line => [
      "webhook",
      `${displayUri(url)}${events.length === 0 ? "" : `: ${events.join(", ")}`}`,
    ]),
    ...(notify?.heartbeats ?? []).map((url): Line => ["heartbeat", displayUri(url)]),
    policy.acknowledge === Acknowledge.COPIED
      ? [
          "writes",
          `acknowledged when copied; ${policy.whenUnreachable === WhenUnreachable.DEGRADE ? "acknowledged without a copy" : "fail"} while the destination is unreachable`,
        ]
      : undefined,
  ];
  return lines.filter((line) => line !== undefined);
}

function statusLines({ formatTime }: Times, policy: BackupPolicy, now: bigint): Line[] {
  const { status } = policy;
  if (!status) return [];
  const at = (micros: bigint) =>
    micros === 0n ? "never" : `${formatTime(micros)}, ${formatAge(micros, now)}`;
  const lines: Line[] = [
    ["state", stateText(status)],
    ["health", status.healthy ? "healthy" : "UNHEALTHY"],
    ["window", windowText(policy)],
    ["last success", at(status.lastSuccessMicros)],
  ];
  if (status.lastError !== "")
    lines.push(["last failure", `${at(status.lastFailureMicros)}: ${status.lastError}`]);
  if (status.failuresInARow > 0) lines.push(["failures in a row", String(status.failuresInARow)]);
  if (status.retryMicros > 0n) lines.push(["next attempt", formatTime(status.retryMicros)]);
  for (const { url, lastSuccessMicros } of status.heartbeats)
    lines.push(["last heartbeat", `${url}, accepted ${at(lastSuccessMicros)}`]);
  lines.push(["last proven restore", at(lastProvenRestore(status))]);
  if (status.skippedRuns > 0n) lines.push(["skipped runs", String(status.skippedRuns)]);
  if (status.missedRuns > 0n) lines.push(["missed runs", `${status.missedRuns}, made up`]);
  const [first, ...others] = status.nextRunsMicros;
  lines.push(["next runs", first === undefined ? nextRunText(policy, now) : formatTime(first)]);
  lines.push(...others.map((micros): Line => ["", formatTime(micros)]));
  for (const { kind, destination, timeMicros } of status.otherRuns)
    lines.push([
      `next ${otherRuns[kind]}`,
      `${formatTime(timeMicros)}${destination && ` to ${displayUri(destination)}`}`,
    ]);
  return lines;
}

const otherRuns: Record<PolicyRunKind, string> = {
  [PolicyRunKind.UNSPECIFIED]: "run",
  [PolicyRunKind.BACKUP]: "backup",
  [PolicyRunKind.VERIFY]: "verification",
  [PolicyRunKind.RESTORE_TEST]: "restore test",
  [PolicyRunKind.COPY]: "copy",
};

const lastProvenRestore = (status: PolicyStatus | undefined): bigint =>
  (status?.destinations ?? []).reduce(
    (latest, { lastProvenRestoreMicros: micros }) => (micros > latest ? micros : latest),
    0n,
  );

function healthText(status: PolicyStatus | undefined): string {
  const [first = "no reason given", ...others] = status?.problems ?? [];
  if (!status || status.healthy) return status ? "healthy" : "unknown";
  return `UNHEALTHY: ${first}${others.length === 0 ? "" : ` (and ${others.length} more)`}`;
}

function scheduleText(schedule: PolicySchedule | undefined): string {
  switch (schedule?.when.case) {
    case "cron":
      return `cron ${schedule.when.value}, ${schedule.timeZone || "UTC"}`;
    case "interval":
      return `every ${schedule.when.value}`;
    case "continuous":
      return "continuous";
    default:
      return "none";
  }
}

/** Formats rules of retention. */
export function retentionText(rules: PolicyRetention | undefined): string {
  const counts: [number, string][] = [
    [rules?.keepLast ?? 0, "last"],
    [rules?.keepHourly ?? 0, "hourly"],
    [rules?.keepDaily ?? 0, "daily"],
    [rules?.keepWeekly ?? 0, "weekly"],
    [rules?.keepMonthly ?? 0, "monthly"],
    [rules?.keepYearly ?? 0, "yearly"],
  ];
  const parts = counts.filter(([count]) => count > 0).map(([count, rule]) => `${count} ${rule}`);
  if (rules !== undefined && rules.keepWithin !== "") parts.push(`all within ${rules.keepWithin}`);
  return parts.length === 0 ? "keep all backups" : `keep ${parts.join(", ")}`;
}

function nextRunText({ schedule, status }: BackupPolicy, now: bigint): string {
  if (status?.state === PolicyState.PAUSED) return "paused";
  const [next] = status?.nextRunsMicros ?? [];
  if (next !== undefined) return `in ${formatDuration(next - now)}`;
  return schedule?.when.case === "continuous" ? "after each write" : "none";
}

/** Formats the window that the backups cover, and the promised one. */
function windowText({ window, status }: BackupPolicy): string {
  const [from, to] = [status?.windowFromMicros ?? 0n, status?.windowToMicros ?? 0n];
  const history = from === 0n ? "complete history" : formatDuration(to - from);
  const covered = to === 0n ? "none" : history;
  return window === "" ? covered : `${covered} of ${window}`;
}
