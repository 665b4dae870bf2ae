import { HostError } from "../errors.js";
import { parseHttpUri } from "../destination/http/uri.js";

/** What can happen to a policy, and whether webhooks are told by default. */
export const eventTypes = {
  "policy.run.failed": true,
  "policy.run.succeeded": false,
  "policy.recovered": true,
  "policy.schedule.missed": true,
  "policy.overdue": true,
  "policy.window.unmet": true,
  "policy.copy.lagging": true,
  "policy.damage.found": true,
  "policy.restore_test.failed": true,
  "policy.test": true,
} as const satisfies Record<string, boolean>;
/** See eventTypes. */
export type EventType = keyof typeof eventTypes;

/** Something that happened to a policy. */
export interface PolicyEvent {
  type: EventType;
  /** When it happened, in microseconds since 1970. */
  timeMicros: number;
  policy: string;
  indexLink: string;
  hostId: string;
  /** For people: what happened, and what to do. */
  message: string;
  /** Further facts for programs. */
  details: Record<string, string | number>;
}

/** A webhook that is told of events. */
export interface WebhookTarget {
  url: string;
  /** whsec_ and base64. Never returned or logged. */
  secret: string;
  /** Types of events. Empty: the default ones. */
  events: readonly string[];
}

/** Whether a webhook is told of events of a type. */
export function wants({ events }: Pick<WebhookTarget, "events">, type: EventType): boolean {
  return events.length === 0 || type === "policy.test" ? eventTypes[type] : events.includes(type);
}

const invalid = (field: string, problem: string) =>
  new HostError("REQUEST_INVALID", `${field}: ${problem}`, { metadata: { field } });

/** Throws REQUEST_INVALID, with the field in the metadata, for a webhook that cannot work. */
export function checkWebhook({ url, secret, events }: WebhookTarget, field: string): void {
  checkUrl(url, `${field}.url`);
  const key = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1];
  const bytes = Buffer.from(key ?? "", "base64").length;
  // The specification of Standard Webhooks states these sizes.
  if (bytes < 24 || bytes > 64)
    throw invalid(
      `${field}.secret`,
      "must be whsec_ and 24 to 64 random bytes in base64. Create one with: echo whsec_$(head -c 32 /dev/urandom | base64)",
    );
  for (const event of events)
    if (!(event in eventTypes))
      throw invalid(
        `${field}.events`,
        `unknown event ${JSON.stringify(event)}. Use ${Object.keys(eventTypes).join(", ")}.`,
      );
}

/** Throws REQUEST_INVALID, with the field in the metadata, unless the URL is http or https. */
export function checkUrl(url: string, field: string): void {
  if (!/^https?:/i.test(url)) throw invalid(field, "must be an http or https URL.");
  try {
    parseHttpUri(url);
  } catch (error) {
    throw invalid(field, HostError.from(error).message);
  }
}
