import { Counter, type Registry } from "prom-client";
import type { DestinationProgress } from "../service/policies/policy-progress.js";
import type { PolicyView } from "../service/policies/policy-service.js";
import { gaugesOf, microsToSeconds } from "./gauges.js";

/** Registers metrics of policies, by policy and destination, and returns their setter. */
export function policyMetrics(registry: Registry): (policies: readonly PolicyView[]) => void {
  const gauge = gaugesOf(registry);
  const byPolicy = ["policy"];
  const byDestination = ["policy", "destination"];
  const healthy = gauge(
    "holdfast_policy_healthy",
    "1 while a policy does what it promises, else 0.",
    byPolicy,
  );
  const paused = gauge("holdfast_policy_paused", "1 while a policy is paused, else 0.", byPolicy);
  const failures = gauge(
    "holdfast_policy_failures_in_a_row",
    "Consecutive failed runs of a policy.",
    byPolicy,
  );
  const success = gauge(
    "holdfast_policy_last_success_timestamp_seconds",
    "Time of the last successful backup of a policy, in seconds since 1970.",
    byPolicy,
  );
  const next = gauge(
    "holdfast_policy_next_run_timestamp_seconds",
    "Planned time of the next backup of a policy, in seconds since 1970.",
    byPolicy,
  );
  const window = gauge(
    "holdfast_policy_window_seconds",
    "How far back from now the backups of a policy restore without a gap, in seconds; since 1970 if they have the complete history.",
    byPolicy,
  );
  const lag = gauge(
    "holdfast_policy_copy_lag_seconds",
    "For how long the newest backup has been waiting to be copied, in seconds.",
    byDestination,
  );
  const verified = gauge(
    "holdfast_policy_last_verification_timestamp_seconds",
    "Time of the last verification of a backup at a destination, in seconds since 1970.",
    byDestination,
  );
  const damaged = gauge(
    "holdfast_policy_damaged",
    "1 if the last verification or restore test at a destination found damage, or backups are gone, else 0.",
    byDestination,
  );
  const tested = gauge(
    "holdfast_policy_restore_test_passed",
    "1 if the last restore test at a destination passed, else 0.",
    byDestination,
  );
  const unproven = gauge(
    "holdfast_policy_restore_unproven_seconds",
    "For how long no restore test at a destination has passed and compared, of a policy that has them: at most since the policy exists, in seconds.",
    byDestination,
  );
  const proven = gauge(
    "holdfast_policy_last_proven_restore_timestamp_seconds",
    "Time of the last restore test that passed at a destination, in seconds since 1970.",
    byDestination,
  );
  const restore = gauge(
    "holdfast_policy_restore_test_seconds",
    "Duration of the restore in the last restore test at a destination, in seconds.",
    byDestination,
  );
  const skipped = new Counter({
    name: "holdfast_policy_skipped_runs_total",
    help: "Scheduled runs that were skipped since another one was under way and another one was waiting.",
    labelNames: byPolicy,
    registers: [registry],
  });
  const missed = new Counter({
    name: "holdfast_policy_missed_runs_total",
    help: "Scheduled runs that were missed while the host was down, and made up once.",
    labelNames: byPolicy,
    registers: [registry],
  });
  return (views) => {
    const all = views.map((view) => ({ view, labels: { policy: view.policy.spec.name } }));
    const places = all.flatMap(({ view, labels }) =>
      view.uris.flatMap((destination, i) => {
        const known = view.progress.destinations[destination];
        return known
          ? [{ known, labels: { ...labels, destination }, copy: i > 0, nowMicros: view.nowMicros }]
          : [];
      }),
    );
    healthy(all.map(({ view, labels }) => [labels, view.problems.length === 0 ? 1 : 0]));
    paused(all.map(({ view, labels }) => [labels, view.policy.paused ? 1 : 0]));
    failures(all.map(({ view, labels }) => [labels, view.progress.failures["BACKUP"]?.count ?? 0]));
    success(timestamps(all.map(({ view, labels }) => [labels, view.progress.lastSuccessMicros])));
    next(timestamps(all.map(({ view, labels }) => [labels, view.nextRunsMicros[0] ?? 0])));
    window(
      all.flatMap(({ view, labels }) => {
        const primary = view.progress.destinations[view.uris[0] ?? ""];
        return primary && primary.windowToMicros > 0
          ? [[labels, microsToSeconds(view.nowMicros - primary.windowFromMicros)] as const]
          : [];
      }),
    );
    lag(
      places.flatMap(({ known, labels, copy, nowMicros }) => {
        const since = known.behindSinceMicros;
        return copy
          ? [[labels, since === 0 ? 0 : Math.max(0, microsToSeconds(nowMicros - since))] as const]
          : [];
      }),
    );
    verified(
      timestamps(
        places.map(({ known, labels }) => [labels, known.lastVerification?.timeMicros ?? 0]),
      ),
    );
    damaged(places.map(({ known, labels }) => [labels, isDamaged(known) ? 1 : 0]));
    tested(
      places.flatMap(({ known: { lastRestoreTest }, labels }) =>
        lastRestoreTest ? [[labels, lastRestoreTest.passed ? 1 : 0] as const] : [],
      ),
    );
    unproven(
      all.flatMap(({ view, labels }) =>
        view.policy.spec.restoreTest ? view.uris.map((uri) => unprovenAt(view, labels, uri)) : [],
      ),
    );
    proven(timestamps(places.map(({ known, labels }) => [labels, known.lastProvenRestoreMicros])));
    restore(
      places.flatMap(({ known, labels }) =>
        known.lastRestoreTest?.passed
          ? [[labels, microsToSeconds(known.lastRestoreTest.restoreMicros)] as const]
          : [],
      ),
    );
    skipped.reset();
    missed.reset();
    for (const { view, labels } of all) {
      skipped.inc(labels, view.progress.skippedRuns);
      missed.inc(labels, view.progress.missedRuns);
    }
  };
}

type Series = readonly [Readonly<Record<string, string>>, number];

const isDamaged = ({ lastVerification, lastRestoreTest, goneMicros }: DestinationProgress) =>
  lastVerification?.passed === false ||
  lastRestoreTest?.reason === "BACKUP_DAMAGED" ||
  goneMicros !== undefined;

function unprovenAt(
  { policy, progress, nowMicros }: PolicyView,
  labels: { policy: string },
  destination: string,
): Series {
  const provenMicros = progress.destinations[destination]?.lastProvenRestoreMicros ?? 0;
  const sinceMicros = Math.max(provenMicros, policy.createTimeMicros);
  return [{ ...labels, destination }, Math.max(0, microsToSeconds(nowMicros - sinceMicros))];
}

/** Leaves out what never happened. */
function timestamps(series: readonly Series[]): Series[] {
  return series
    .filter(([, micros]) => micros > 0)
    .map(([labels, micros]) => [labels, microsToSeconds(micros)]);
}
