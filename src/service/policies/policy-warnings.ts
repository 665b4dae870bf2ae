import type { Delivery } from "../../notification/delivery.js";
import type { HeartbeatStatus } from "../../notification/heartbeats.js";
import { formatTime } from "../../io/time.js";
import { limits } from "../../limits.js";
import { durationText } from "../../policy/duration.js";
import { comparableUri, destinationsOf, type PolicySpec } from "../../policy/policy.js";
import { withoutSecrets } from "../../security/secrets.js";
import type { StoredPolicy } from "./policy-store.js";

/** Policies with their rules, by the directories that they back up or copy to. */
export type Sharing = ReadonlyMap<string, readonly { name: string; rules: string }[]>;

/** Facts for the warnings of a policy. */
export interface WarningFacts {
  spec: PolicySpec;
  sharing: Sharing;
  heartbeats: readonly HeartbeatStatus[];
  /** Newest first. */
  deliveries: readonly Delivery[];
  /** Times of its next backups. */
  nextRunsMicros: readonly number[];
}

/** Returns what may be wrong with a policy although it does what it promises, as text for people. */
export function warningsOf(facts: WarningFacts): string[] {
  const { spec, sharing, heartbeats, deliveries } = facts;
  return [
    ...sharedWarnings(spec, sharing),
    ...ageWarnings(facts),
    ...heartbeats.filter(({ lastError }) => lastError !== "").map(heartbeatWarning),
    ...spec.webhooks.flatMap(({ url }) => webhookWarning(withoutSecrets(url), deliveries)),
  ];
}

/** Finds policies that share directories. */
export function sharingOf(policies: readonly Pick<StoredPolicy, "spec">[]): Sharing {
  const found = new Map<string, { name: string; rules: string }[]>();
  for (const { spec } of policies) {
    const one = { name: spec.name, rules: rulesOf(spec) };
    for (const directory of directoriesOf(spec)) {
      const sharing = found.get(directory);
      if (sharing) sharing.push(one);
      else found.set(directory, [one]);
    }
  }
  return found;
}

/** Equal for policies that keep or remove each other's backups. */
const directoriesOf = (spec: PolicySpec) =>
  destinationsOf(spec).map((uri) => `${spec.indexLink}\n${comparableUri(uri)}`);

/** Equal for policies that remove the same backups. */
const rulesOf = ({ schedule, retention = {}, windowMs }: PolicySpec) =>
  JSON.stringify([schedule.kind === "continuous", Object.entries(retention).sort(), windowMs]);

/** Each policy removes what its own rules do not keep, whoever made it. */
function sharedWarnings(spec: PolicySpec, sharing: Sharing): string[] {
  const rules = rulesOf(spec);
  const others = directoriesOf(spec)
    .flatMap((directory) => sharing.get(directory) ?? [])
    .filter((other) => other.name !== spec.name && other.rules !== rules);
  return [...new Set(others)]
    .slice(0, limits.policyWarnings)
    .map(
      ({ name }) =>
        `Policy ${name} keeps backups of the same index at the same destination by other rules, and each removes what its own do not keep. Give each a directory of its own, or the same rules.`,
    );
}

/** Between backups that are further apart than max_age, the policy is unhealthy each time. */
function ageWarnings({ spec, nextRunsMicros }: WarningFacts): string[] {
  const { maxAgeMs } = spec;
  if (maxAgeMs === undefined) return [];
  const gaps = nextRunsMicros.slice(1).map((micros, i) => micros - (nextRunsMicros[i] ?? micros));
  const longestMs = Math.max(0, ...gaps) / 1000;
  if (longestMs < maxAgeMs) return [];
  return [
    `Backups are up to ${durationText(longestMs)} apart, and max_age is ${durationText(maxAgeMs)}: the policy is unhealthy before each. Let max_age be longer than the time between backups and the duration of one.`,
  ];
}

const heartbeatWarning = ({ url, lastFailureMicros, lastError }: HeartbeatStatus) =>
  `The heartbeat to ${url} at ${formatTime(lastFailureMicros)} was not accepted: ${lastError}`;

/** Warns if a webhook does not accept the newest event that was sent to it. */
function webhookWarning(shown: string, newestFirst: readonly Delivery[]): string[] {
  const last = newestFirst.find(({ url, attempts }) => url === shown && attempts > 0);
  if (last === undefined || last.state === "DELIVERED") return [];
  return [
    `The webhook ${shown} does not accept events: ${last.lastError} See holdfast policy deliveries ${last.policy}.`,
  ];
}
