import { formatTime } from "../../io/time.js";
import { durationText } from "../../policy/duration.js";
import type { PolicySpec } from "../../policy/policy.js";
import { withoutSecrets } from "../../security/secrets.js";
import { spanText } from "../host/backup-health.js";
import type { PolicyProgress } from "./policy-progress.js";

/** What is wrong with a policy; `kind` names the promise that is broken. */
export interface PolicyProblem {
  kind: "failing" | "overdue" | "window" | "lag" | "gone" | "damage" | "restore-test" | "degraded";
  /** For people: what is wrong, where, and what to do. */
  message: string;
}

/** Facts for the health of a policy. */
export interface PolicyFacts {
  spec: PolicySpec;
  progress: PolicyProgress;
  nowMicros: number;
  /** Since when the policy can be expected to have run: its creation, or its last resumption. */
  sinceMicros: number;
  /** Whether the index has documents; an empty index needs no backup. */
  hasDocuments: boolean;
  /** Continuous: all writes are backed up, so that no newer backup is needed. */
  isCurrent: boolean;
  /** COPIED: why writes are refused, or acknowledged before they are copied. Absent: neither. */
  degraded?: string | undefined;
}

/** Returns what is wrong with a policy. A paused policy promises nothing. */
export function problemsOf(facts: PolicyFacts): PolicyProblem[] {
  return [
    ...failing(facts),
    overdue(facts),
    window(facts),
    ...destinationProblems(facts),
    facts.degraded === undefined
      ? undefined
      : { kind: "degraded" as const, message: facts.degraded },
  ].filter((problem) => problem !== undefined);
}

const runNames: Record<string, string> = {
  BACKUP: "run",
  COPY: "copy",
  VERIFY: "verification",
  RESTORE_TEST: "restore test",
};

/** A policy whose copies were removed cannot copy again, so that a failure to copy would last. */
function failing({ spec, progress }: PolicyFacts): PolicyProblem[] {
  return Object.entries(progress.failures)
    .filter(([kind]) => kind !== "COPY" || spec.copies.length > 0)
    .map(([kind, { count, message }]) => ({
      kind: "failing",
      message: `The last ${runNames[kind] ?? "run"} failed${count === 1 ? "" : ` (${count} times in a row)`}: ${message}`,
    }));
}

function overdue(facts: PolicyFacts): PolicyProblem | undefined {
  const { spec, progress, nowMicros, sinceMicros, hasDocuments, isCurrent } = facts;
  if (spec.maxAgeMs === undefined || !hasDocuments || isCurrent) return undefined;
  const { lastSuccessMicros } = progress;
  const ageMicros = nowMicros - Math.max(lastSuccessMicros, lastSuccessMicros ? 0 : sinceMicros);
  if (ageMicros <= spec.maxAgeMs * 1000) return undefined;
  const limit = `the limit is ${durationText(spec.maxAgeMs)} (max_age)`;
  return {
    kind: "overdue",
    message:
      lastSuccessMicros === 0
        ? `No backup has succeeded yet; ${limit}. Run it with holdfast policy run ${spec.name}.`
        : `The newest backup is ${spanText(ageMicros)} old; ${limit}. Run it with holdfast policy run ${spec.name}.`,
  };
}

/** A window can only be met once the policy is as old. */
function window(facts: PolicyFacts): PolicyProblem | undefined {
  const { spec, progress, nowMicros, sinceMicros } = facts;
  if (spec.windowMs === undefined) return undefined;
  const primary = progress.destinations[withoutSecrets(spec.destination)];
  if (primary === undefined || primary.windowToMicros === 0) return undefined;
  const wantedMicros = nowMicros - spec.windowMs * 1000;
  if (wantedMicros < sinceMicros || primary.windowFromMicros <= wantedMicros) return undefined;
  return {
    kind: "window",
    message: `Restores are possible from ${formatTime(primary.windowFromMicros)} on, and the window of the policy is ${durationText(spec.windowMs)}. Keep versions longer (--history of holdfast serve), or back up more often.`,
  };
}

function destinationProblems({ spec, progress, nowMicros }: PolicyFacts): PolicyProblem[] {
  const problems: PolicyProblem[] = [];
  const uris = [spec.destination, ...spec.copies.map(({ destination }) => destination)];
  for (const [i, secretUri] of uris.entries()) {
    const uri = withoutSecrets(secretUri);
    const known = progress.destinations[uri];
    if (!known) continue;
    const { lastVerification, lastRestoreTest, behindSinceMicros, goneMicros } = known;
    if (goneMicros !== undefined)
      problems.push({
        kind: "gone",
        message: `Earlier backups at ${uri} were gone at ${formatTime(goneMicros)}: it was moved or emptied, files were removed, or another disk is mounted. The policy goes on without them. Bring them back if you can; then, or to accept it, verify what is there with holdfast policy run ${spec.name} --verify.`,
      });
    if (lastVerification?.passed === false)
      problems.push({
        kind: "damage",
        message: `Damage was found at ${uri}: ${lastVerification.problem ?? ""} ${
          i === 0 ? "The next backup writes a new base there" : "The next run writes the copy again"
        }; check the storage, and verify with holdfast policy run ${spec.name} --verify.`,
      });
    if (lastRestoreTest?.passed === false)
      problems.push({
        kind: "restore-test",
        message: `The last restore test of ${uri} failed: ${lastRestoreTest.problem ?? ""} Repeat it with holdfast policy run ${spec.name} --restore-test.`,
      });
    const maxLagMs = spec.copies[i - 1]?.maxLagMs;
    if (maxLagMs === undefined || behindSinceMicros === 0) continue;
    const lagMicros = nowMicros - behindSinceMicros;
    if (lagMicros > maxLagMs * 1000)
      problems.push({
        kind: "lag",
        message: `The copy at ${uri} has been behind for ${spanText(lagMicros)}; the limit is ${durationText(maxLagMs)} (max_lag).${known.lastError && ` The last copy failed: ${known.lastError}`}`,
      });
  }
  return problems;
}
