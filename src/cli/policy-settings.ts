import { clone, create } from "@bufbuild/protobuf";
import { Compression, VerifyLevel } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import {
  Acknowledge,
  BackupPolicySchema,
  PolicyCopySchema,
  PolicyNotificationsSchema,
  PolicyRestoreTestSchema,
  PolicyRetentionSchema,
  PolicyScheduleSchema,
  PolicyVerificationSchema,
  PolicyWebhookSchema,
  WhenUnreachable,
  type BackupPolicy,
  type PolicyCopy,
  type PolicyRetention,
  type PolicySchedule,
} from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { HostError } from "../errors.js";
import { displayUri } from "./destination-uri.js";
import { toUri } from "./destination-uri.js";
import { optionOf, type ClearableField } from "./flags.js";
import { clearFields, schedulesOf } from "./policy-clear.js";
import { readSecretLine } from "./secret-file.js";

/** Flags of the rules of retention. */
export interface RetentionFlags {
  keepLast?: string;
  keepHourly?: string;
  keepDaily?: string;
  keepWeekly?: string;
  keepMonthly?: string;
  keepYearly?: string;
  keepWithin?: string;
}

/** Flags that set the fields of a policy. */
export interface PolicySettings extends RetentionFlags {
  destination?: string;
  index?: string;
  cron?: string;
  every?: string;
  continuous?: boolean;
  timeZone?: string;
  jitter?: string;
  compression?: string;
  recipient?: string[];
  window?: string;
  copy?: string[];
  copyCron?: string;
  copyMaxLag?: string;
  verifyCron?: string;
  verifyLevel?: string;
  restoreTestCron?: string;
  maxAge?: string;
  webhook?: string[];
  webhookSecretFile?: string;
  webhookEvent?: string[];
  heartbeat?: string[];
  acknowledge?: string;
  whenUnreachable?: string;
  clear?: ClearableField[];
}

const counts = [
  "keepLast",
  "keepHourly",
  "keepDaily",
  "keepWeekly",
  "keepMonthly",
  "keepYearly",
] as const;

const levels: Record<string, VerifyLevel> = {
  metadata: VerifyLevel.METADATA,
  sample: VerifyLevel.SAMPLE,
  full: VerifyLevel.FULL,
  "test-restore": VerifyLevel.TEST_RESTORE,
};

const compressions: Record<string, Compression> = {
  none: Compression.NONE,
  gzip: Compression.GZIP,
  zstd: Compression.ZSTD,
};

const acknowledges: Record<string, Acknowledge> = {
  local: Acknowledge.LOCAL,
  copied: Acknowledge.COPIED,
};

const whenUnreachables: Record<string, WhenUnreachable> = {
  fail: WhenUnreachable.FAIL,
  degrade: WhenUnreachable.DEGRADE,
};

const invalid = (problem: string) => new HostError("REQUEST_INVALID", problem);

/**
 * Returns a policy with the settings that the flags give: first without the fields of --clear, then
 * with the new values. A repeatable flag replaces the whole list; a copy or webhook that was there
 * keeps its other fields. Throws REQUEST_INVALID for contradicting flags, CONFIGURATION_INVALID if
 * the file of the webhook secret cannot be read.
 */
export function withSettings(policy: BackupPolicy, flags: PolicySettings): BackupPolicy {
  const changed = clone(BackupPolicySchema, policy);
  clearFields(changed, flags.clear ?? []);
  if (flags.destination !== undefined) changed.destination = toUri(flags.destination);
  if (flags.index !== undefined) changed.indexLink = flags.index;
  if (flags.jitter !== undefined) changed.jitter = flags.jitter;
  if (flags.window !== undefined) changed.window = flags.window;
  if (flags.maxAge !== undefined) changed.maxAge = flags.maxAge;
  if (flags.recipient !== undefined) changed.recipients = flags.recipient;
  changed.compression = compressions[flags.compression ?? ""] ?? changed.compression;
  changed.acknowledge = acknowledges[flags.acknowledge ?? ""] ?? changed.acknowledge;
  changed.whenUnreachable =
    whenUnreachables[flags.whenUnreachable ?? ""] ?? changed.whenUnreachable;
  const retention = retentionOf(flags, changed.retention);
  if (retention) changed.retention = retention;
  setSchedule(changed, flags);
  setCopies(changed, flags);
  setChecks(changed, flags);
  setNotifications(changed, flags);
  if (flags.timeZone !== undefined)
    for (const schedule of schedulesOf(changed)) schedule.timeZone = flags.timeZone;
  return changed;
}

/**
 * Returns the rules of retention that the flags change in `previous`; undefined if no flag is given.
 * Throws REQUEST_INVALID for a count that is not a whole number.
 */
export function retentionOf(
  flags: RetentionFlags,
  previous?: PolicyRetention,
): PolicyRetention | undefined {
  const given = counts.filter((rule) => flags[rule] !== undefined);
  if (given.length === 0 && flags.keepWithin === undefined) return undefined;
  const retention = previous
    ? clone(PolicyRetentionSchema, previous)
    : create(PolicyRetentionSchema);
  for (const rule of given) {
    const text = flags[rule] ?? "";
    if (!/^\d{1,5}$/.test(text))
      throw invalid(`${optionOf(rule)} must be a whole number from 0 to 10000; 0 is no rule.`);
    retention[rule] = Number(text);
  }
  if (flags.keepWithin !== undefined) retention.keepWithin = flags.keepWithin;
  return retention;
}

const cronSchedule = (expression: string, previous: PolicySchedule | undefined): PolicySchedule =>
  create(PolicyScheduleSchema, {
    when: { case: "cron", value: expression },
    timeZone: previous?.timeZone ?? "",
  });

function setSchedule(policy: BackupPolicy, { cron, every, continuous }: PolicySettings): void {
  const given = [cron, every, continuous].filter((one) => one !== undefined);
  if (given.length > 1) throw invalid("Use one of --cron, --every and --continuous.");
  const timeZone = policy.schedule?.timeZone ?? "";
  if (cron !== undefined) policy.schedule = cronSchedule(cron, policy.schedule);
  if (every !== undefined)
    policy.schedule = create(PolicyScheduleSchema, {
      when: { case: "interval", value: every },
      timeZone,
    });
  if (continuous)
    policy.schedule = create(PolicyScheduleSchema, {
      when: { case: "continuous", value: true },
      timeZone,
    });
}

function setCopies(policy: BackupPolicy, { copy, copyCron, copyMaxLag }: PolicySettings): void {
  if (copy !== undefined)
    policy.copies = copy
      .map(toUri)
      .map(
        (destination): PolicyCopy =>
          policy.copies.find((one) => one.destination === destination) ??
          create(PolicyCopySchema, { destination }),
      );
  const orphan = copyCron === undefined ? "--copy-max-lag" : "--copy-cron";
  if (policy.copies.length === 0 && (copyCron !== undefined || copyMaxLag !== undefined))
    throw invalid(`${orphan} requires a copy. Add one with --copy DEST.`);
  for (const one of policy.copies) {
    if (copyCron !== undefined) one.schedule = cronSchedule(copyCron, one.schedule);
    if (copyMaxLag !== undefined) one.maxLag = copyMaxLag;
  }
}

function setChecks(
  policy: BackupPolicy,
  { verifyCron, verifyLevel, restoreTestCron }: PolicySettings,
): void {
  if (verifyCron !== undefined) {
    policy.verify ??= create(PolicyVerificationSchema);
    policy.verify.schedule = cronSchedule(verifyCron, policy.verify.schedule);
  }
  if (verifyLevel !== undefined) {
    if (!policy.verify) throw invalid("--verify-level requires --verify-cron.");
    policy.verify.level = levels[verifyLevel] ?? VerifyLevel.UNSPECIFIED;
  }
  if (restoreTestCron !== undefined) {
    policy.restoreTest ??= create(PolicyRestoreTestSchema);
    policy.restoreTest.schedule = cronSchedule(restoreTestCron, policy.restoreTest.schedule);
  }
}

function setNotifications(
  policy: BackupPolicy,
  { webhook, webhookSecretFile, webhookEvent, heartbeat }: PolicySettings,
): void {
  if ([webhook, webhookSecretFile, webhookEvent, heartbeat].every((one) => one === undefined))
    return;
  const notify = (policy.notify ??= create(PolicyNotificationsSchema));
  if (heartbeat !== undefined) notify.heartbeats = heartbeat;
  const known = notify.webhooks;
  if (webhook !== undefined)
    notify.webhooks = webhook.map((url) => {
      const one = known.find((before) => before.url === displayUri(url));
      if (!one) return create(PolicyWebhookSchema, { url });
      one.url = url;
      return one;
    });
  const secret =
    webhookSecretFile === undefined
      ? undefined
      : readSecretLine(webhookSecretFile, "--webhook-secret-file");
  if (secret !== undefined && notify.webhooks.length === 0)
    throw invalid("--webhook-secret-file requires a webhook. Add one with --webhook URL.");
  if (webhookEvent !== undefined && notify.webhooks.length === 0)
    throw invalid("--webhook-event requires a webhook. Add one with --webhook URL.");
  for (const one of notify.webhooks) {
    if (webhookEvent !== undefined) one.events = webhookEvent;
    if (secret !== undefined) one.secret = secret;
    else if (!known.includes(one))
      throw invalid(
        "--webhook requires --webhook-secret-file FILE, the secret with which the requests are signed: whsec_ and 24 to 64 bytes in base64.",
      );
  }
}
