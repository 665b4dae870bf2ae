import { Compression } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import {
  Acknowledge,
  WhenUnreachable,
  type BackupPolicy,
} from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import type { ClearableField } from "./flags.js";

/** How to remove each optional field, which then has its default. */
const clearings: Record<ClearableField, (policy: BackupPolicy) => void> = {
  acknowledge: (policy) => (policy.acknowledge = Acknowledge.UNSPECIFIED),
  compression: (policy) => (policy.compression = Compression.UNSPECIFIED),
  copies: (policy) => (policy.copies = []),
  "copy-max-lag": ({ copies }) => {
    for (const copy of copies) copy.maxLag = "";
  },
  "copy-schedule": ({ copies }) => {
    for (const copy of copies) delete copy.schedule;
  },
  heartbeats: ({ notify }) => {
    if (notify) notify.heartbeats = [];
  },
  jitter: (policy) => (policy.jitter = ""),
  "max-age": (policy) => (policy.maxAge = ""),
  recipients: (policy) => (policy.recipients = []),
  "restore-test": (policy) => delete policy.restoreTest,
  retention: (policy) => delete policy.retention,
  "time-zone": (policy) => {
    for (const schedule of schedulesOf(policy)) schedule.timeZone = "";
  },
  verify: (policy) => delete policy.verify,
  webhooks: ({ notify }) => {
    if (notify) notify.webhooks = [];
  },
  "when-unreachable": (policy) => (policy.whenUnreachable = WhenUnreachable.UNSPECIFIED),
  window: (policy) => (policy.window = ""),
};

/** Removes optional fields of a policy in place. */
export function clearFields(policy: BackupPolicy, fields: readonly ClearableField[]): void {
  for (const field of fields) clearings[field](policy);
}

/** Returns all schedules of a policy. */
export function schedulesOf({ schedule, copies, verify, restoreTest }: BackupPolicy) {
  return [
    schedule,
    ...copies.map((copy) => copy.schedule),
    verify?.schedule,
    restoreTest?.schedule,
  ].filter((one) => one !== undefined);
}
