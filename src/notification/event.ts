import { formatTime } from "../io/time.js";
import { limits } from "../limits.js";

/** Types of events, in the form that Standard Webhooks recommends. */
export const policyEventTypes = [
  "policy.run.failed",
  "policy.recovered",
  "policy.schedule.missed",
  "policy.overdue",
  "policy.window.unmet",
  "policy.copy.lagging",
  "policy.damage.found",
  "policy.restore_test.failed",
  "policy.run.succeeded",
  "policy.test",
] as const;

/** What happened to a policy. */
export type PolicyEventType = (typeof policyEventTypes)[number];

/** Something that happened to a policy. Must not contain secrets. */
export interface PolicyEvent {
  type: PolicyEventType;
  /** When it happened. */
  timeMicros: number;
  /** Name of the policy. */
  policy: string;
  indexLink: string;
  /** Name of this host. */
  host: string;
  /** What happened, and what to do next. */
  message: string;
  /** Further fields. */
  details: Record<string, string | number>;
}

/** A webhook of a policy. */
export interface WebhookTarget {
  /** http or https. */
  url: string;
  /** Signing secret, whsec_... Never stored with deliveries, logged or part of an error. */
  secret: string;
  /** Types that are sent. Empty: all except policy.run.succeeded. policy.test is always sent. */
  events: readonly string[];
}

/** Whether a webhook receives events of a type. */
export function wantsEvent({ events }: WebhookTarget, type: PolicyEventType): boolean {
  if (type === "policy.test") return true;
  return events.length === 0 ? type !== "policy.run.succeeded" : events.includes(type);
}

/**
 * Returns the body of a notification: JSON with type, timestamp and data. Long texts are cut. The
 * details are left out if the body would exceed limits.notificationBytes.
 */
export function eventBody(event: PolicyEvent): string {
  const body = bodyWith(event, Object.entries(event.details).slice(0, limits.notificationDetails));
  return Buffer.byteLength(body) > limits.notificationBytes ? bodyWith(event, []) : body;
}

function bodyWith(event: PolicyEvent, details: [string, string | number][]): string {
  return JSON.stringify({
    type: event.type,
    timestamp: formatTime(event.timeMicros),
    data: {
      policy: shortened(event.policy),
      indexLink: shortened(event.indexLink),
      host: shortened(event.host),
      message: event.message.slice(0, limits.notificationChars),
      details: Object.fromEntries(
        details.map(([name, value]) => [
          shortened(name),
          typeof value === "string" ? shortened(value) : value,
        ]),
      ),
    },
  });
}

const shortened = (text: string) => text.slice(0, limits.notificationFieldChars);
