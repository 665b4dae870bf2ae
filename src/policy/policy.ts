import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { withoutSecrets } from "../security/secrets.js";
import type { Compression } from "../segment/format.js";
import type { VerifyLevel } from "../backup/verification.js";
import { checkTimeZone } from "./calendar.js";
import { checkRetention, type RetentionRules } from "./retention.js";
import { checkSchedule, type Schedule } from "./schedule.js";

/** A further destination of the backups of a policy. */
export interface CopySpec {
  /** URI. */
  destination: string;
  /** Default: after each run. */
  schedule?: Schedule;
  /** The policy is unhealthy if the copy is behind for longer. Default: no limit. */
  maxLagMs?: number;
}

/** A webhook that is told what happens to a policy. */
export interface WebhookSpec {
  url: string;
  /** Signing secret, whsec_... Never returned or logged. */
  secret: string;
  /** Types of events. Empty: the default ones. */
  events: string[];
}

/** What a policy does, as its owner defined it. Durations are in milliseconds. */
export interface PolicySpec {
  name: string;
  indexLink: string;
  /** URI of the destination of incremental backups. */
  destination: string;
  compression?: Compression;
  /** Public keys of age. Empty: those of the host. */
  recipients: string[];
  schedule: Schedule;
  /** Time zone of the days of retention. */
  timeZone: string;
  /** Random delay of each scheduled run. 0: none. */
  jitterMs: number;
  /** Default: all backups are kept. */
  retention?: RetentionRules;
  /** How far back a restore must be possible. Default: no promise. */
  windowMs?: number;
  copies: CopySpec[];
  verify?: { schedule: Schedule; level: VerifyLevel };
  restoreTest?: { schedule: Schedule };
  /** The policy is unhealthy if its newest backup is older. Default: no limit. */
  maxAgeMs?: number;
  webhooks: WebhookSpec[];
  heartbeats: string[];
  /** COPIED: a write is acknowledged when a backup that holds it is durable at the destination. */
  acknowledge: "LOCAL" | "COPIED";
  /** COPIED: what happens to writes that cannot be copied. */
  whenUnreachable: "FAIL" | "DEGRADE";
}

/** What a run of a policy does. */
export type RunKind = "BACKUP" | "VERIFY" | "RESTORE_TEST" | "COPY";

/** Returns the error of an invalid field of a policy. */
export function fieldError(field: string, problem: string): HostError {
  return new HostError("REQUEST_INVALID", `${field}: ${problem}`, { metadata: { field } });
}

/**
 * Checks a policy without its destinations and webhooks. Throws REQUEST_INVALID with the field in the
 * metadata.
 */
export function checkPolicy(spec: PolicySpec): void {
  for (const [i, uri] of destinationsOf(spec).entries())
    checkDestination(uri, i === 0 ? "destination" : `copies[${i - 1}].destination`);
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(spec.name))
    throw fieldError("name", "must have 1 to 63 lower-case letters, digits and hyphens.");
  checkSchedule(spec.schedule, "schedule");
  checkTimeZone(spec.timeZone, "schedule.time_zone");
  if (spec.jitterMs > limits.policyJitterMaxMs) throw fieldError("jitter", "must be at most 1d.");
  if (spec.retention) checkRetention(spec.retention, "retention");
  checkCopies(spec);
  if (spec.verify) checkTimed(spec.verify.schedule, "verify.schedule");
  if (spec.restoreTest) checkTimed(spec.restoreTest.schedule, "restore_test.schedule");
  checkAcknowledge(spec);
}

function checkDestination(uri: string, field: string): void {
  if (/^(https?|transfer):/i.test(uri))
    throw fieldError(field, "must be a directory or an s3: URI, where backups are incremental.");
  if (/\.zip\/?$/i.test(uri))
    throw fieldError(
      field,
      "has the name of an archive. The backups of a policy are incremental: name a directory.",
    );
}

function checkCopies({ destination, copies, schedule }: PolicySpec): void {
  const seen = new Set([comparableUri(destination)]);
  for (const [i, copy] of copies.entries()) {
    const field = `copies[${i}]`;
    const uri = comparableUri(copy.destination);
    if (seen.has(uri))
      throw fieldError(
        `${field}.destination`,
        `${withoutSecrets(copy.destination)} is named twice. A copy must be elsewhere.`,
      );
    seen.add(uri);
    if (copy.schedule) checkTimed(copy.schedule, `${field}.schedule`);
    else if (schedule.kind === "continuous")
      throw fieldError(
        `${field}.schedule`,
        "a copy of a continuous policy requires a schedule, for example cron 0 3 * * *.",
      );
  }
}

function checkTimed(schedule: Schedule, field: string): void {
  if (schedule.kind === "continuous")
    throw fieldError(field, "cannot be continuous; use cron or interval.");
  checkSchedule(schedule, field);
}

function checkAcknowledge({ acknowledge, schedule }: PolicySpec): void {
  if (acknowledge === "COPIED" && schedule.kind !== "continuous")
    throw fieldError("acknowledge", "COPIED requires a continuous schedule.");
}

/** A task of a policy that runs on a schedule. */
export interface PolicyTask {
  /** Distinguishes the tasks of a policy. */
  key: string;
  kind: RunKind;
  schedule: Schedule;
  /** COPY: URI of the copy. */
  copy?: string;
}

/** Returns the scheduled tasks of a policy. A continuous backup is not scheduled. */
export function tasksOf(spec: PolicySpec): PolicyTask[] {
  const { schedule, verify, restoreTest, copies } = spec;
  return [
    ...(schedule.kind === "continuous"
      ? []
      : [{ key: "backup", kind: "BACKUP" as const, schedule }]),
    ...(verify ? [{ key: "verify", kind: "VERIFY" as const, schedule: verify.schedule }] : []),
    ...(restoreTest
      ? [{ key: "restore-test", kind: "RESTORE_TEST" as const, schedule: restoreTest.schedule }]
      : []),
    ...copies.flatMap(({ destination, schedule: own }) =>
      own
        ? [{ key: `copy ${destination}`, kind: "COPY" as const, schedule: own, copy: destination }]
        : [],
    ),
  ];
}

/** Returns the URIs of all destinations of a policy; the first one is not a copy. */
export function destinationsOf({ destination, copies }: PolicySpec): string[] {
  return [destination, ...copies.map((copy) => copy.destination)];
}

/** Equal for the ways to write a URI, such as file:/a, file://localhost/a/ and file:///b/../a. */
export function comparableUri(uri: string): string {
  const normal = URL.canParse(uri) ? new URL(uri).href : uri;
  return withoutSecrets(normal)
    .replace(/^file:\/\/localhost\//, "file:///")
    .replace(/\/+$/, "");
}
