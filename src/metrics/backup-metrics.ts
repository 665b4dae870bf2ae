import { Counter, type Registry } from "prom-client";
import type { AutoBackupStatus } from "../backup/schedule/status.js";
import type { HostDescription } from "../service/host/description.js";
import type { Stats } from "../stats/stats.js";
import { gaugesOf, microsToSeconds } from "./gauges.js";

type HostBackups = Pick<HostDescription, "backups" | "backupHealth" | "backupMaxAgeMicros">;

/**
 * Registers metrics of backups, by index and destination, and returns their setter. Each metric has
 * at most limits.backupRecords series.
 */
export function backupMetrics(
  registry: Registry,
  nowMicros: () => number,
): (host: HostBackups) => void {
  const gauge = gaugesOf(registry);
  const labelNames = ["index", "destination"];
  const age = gauge(
    "holdfast_backup_age_seconds",
    "Age of the last successful backup in seconds.",
    labelNames,
  );
  const success = gauge(
    "holdfast_backup_last_success_timestamp_seconds",
    "Time of the last successful backup, in seconds since 1970.",
    labelNames,
  );
  const failure = gauge(
    "holdfast_backup_last_failure_timestamp_seconds",
    "Time of the last failed backup, in seconds since 1970.",
    labelNames,
  );
  const failing = gauge(
    "holdfast_backup_failing",
    "1 if the last backup failed, else 0.",
    labelNames,
  );
  const size = gauge(
    "holdfast_backup_size_bytes",
    "Total size of all segments of the last successful backup in bytes.",
    labelNames,
  );
  const written = gauge(
    "holdfast_backup_written_bytes",
    "Bytes written by the last successful backup.",
    labelNames,
  );
  const duration = gauge(
    "holdfast_backup_duration_seconds",
    "Duration of the last successful backup in seconds.",
    labelNames,
  );
  const earliest = gauge(
    "holdfast_backup_window_earliest_timestamp_seconds",
    "Earliest target time of a restore from the last successful backup, in seconds since 1970.",
    labelNames,
  );
  const latest = gauge(
    "holdfast_backup_window_latest_timestamp_seconds",
    "Latest target time of a restore from the last successful backup, in seconds since 1970.",
    labelNames,
  );
  const healthy = gauge(
    "holdfast_backups_healthy",
    "1 while the health service reports backups as healthy, else 0.",
  );
  const maxAge = gauge(
    "holdfast_backup_max_age_seconds",
    "Maximum age of the newest successful backup in seconds; 0 if there is no limit.",
  );
  return ({ backups, backupHealth, backupMaxAgeMicros }) => {
    const labelled = backups.map((record) => ({
      record,
      labels: { index: record.indexLink, destination: record.destination },
    }));
    const successful = labelled.filter(({ record }) => record.lastSuccessMicros > 0);
    const failed = labelled.filter(({ record }) => record.lastFailureMicros > 0);
    age(
      successful.map(({ record, labels }) => [
        labels,
        Math.max(0, microsToSeconds(nowMicros() - record.lastSuccessMicros)),
      ]),
    );
    success(
      successful.map(({ record, labels }) => [labels, microsToSeconds(record.lastSuccessMicros)]),
    );
    failure(
      failed.map(({ record, labels }) => [labels, microsToSeconds(record.lastFailureMicros)]),
    );
    failing(labelled.map(({ record, labels }) => [labels, record.lastError === "" ? 0 : 1]));
    size(successful.map(({ record, labels }) => [labels, record.sizeBytes]));
    written(successful.map(({ record, labels }) => [labels, record.bytesWritten]));
    duration(
      successful.map(({ record, labels }) => [labels, microsToSeconds(record.durationMicros)]),
    );
    earliest(
      successful.flatMap(({ record: { window }, labels }) =>
        window ? [[labels, microsToSeconds(window.earliestMicros)] as const] : [],
      ),
    );
    latest(
      successful.flatMap(({ record: { window }, labels }) =>
        window ? [[labels, microsToSeconds(window.latestMicros)] as const] : [],
      ),
    );
    healthy([[{}, backupHealth.healthy ? 1 : 0]]);
    maxAge([[{}, microsToSeconds(backupMaxAgeMicros)]]);
  };
}

const states = ["OFF", "CURRENT", "WAITING", "RUNNING", "RETRYING"] as const;

/**
 * Registers metrics of automatic backups, derived from their status and statistics, and returns
 * their setter.
 */
export function autoBackupMetrics(
  registry: Registry,
): (status: AutoBackupStatus, stats: Stats) => void {
  const gauge = gaugesOf(registry);
  const state = gauge(
    "holdfast_auto_backup_state",
    "1 for the current state of automatic backups, 0 for the others.",
    ["state"],
  );
  const failures = gauge(
    "holdfast_auto_backup_failures_in_a_row",
    "Consecutive failures of automatic backups.",
  );
  const runs = new Counter({
    name: "holdfast_auto_backup_runs_total",
    help: "Automatic backups by outcome: performed, failed, or skipped because the next one includes their changes.",
    labelNames: ["outcome"],
    registers: [registry],
  });
  const bytes = new Counter({
    name: "holdfast_auto_backup_bytes_total",
    help: "Bytes written by automatic backups.",
    registers: [registry],
  });
  return (status, stats) => {
    state(states.map((one) => [{ state: one.toLowerCase() }, status.state === one ? 1 : 0]));
    failures([[{}, status.failuresInARow]]);
    const all = new Map(stats.all().map((stat) => [stat.name, stat]));
    runs.reset();
    for (const [outcome, name] of [
      ["performed", "autoBackupPerformedCount"],
      ["failed", "autoBackupFailedCount"],
      ["skipped", "autoBackupSkippedCount"],
    ] as const) {
      runs.inc({ outcome }, all.get(name)?.latestValue ?? 0);
    }
    bytes.reset();
    bytes.inc(all.get("autoBackupBytes")?.accumulatedValue ?? 0);
  };
}
