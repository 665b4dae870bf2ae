import { Counter, type Registry } from "prom-client";
import type { AutoBackupStatus, HostDescription } from "../service/backups/management-service.js";
import type { Stats } from "../stats/stats.js";
import { gaugesOf, microsToSeconds } from "./gauges.js";

type HostBackups = Pick<HostDescription, "backups" | "backupHealth" | "backupMaxAgeMicros">;

/** How backups stand, by the records of them: at most limits.backupRecords of each series. */
export function backupMetrics(
  registry: Registry,
  nowMicros: () => number,
): (host: HostBackups) => void {
  const gauge = gaugesOf(registry);
  const labelNames = ["index", "destination"];
  const age = gauge(
    "holdfast_backup_age_seconds",
    "How long ago the last good backup was finished.",
    labelNames,
  );
  const success = gauge(
    "holdfast_backup_last_success_timestamp_seconds",
    "When the last good backup was finished.",
    labelNames,
  );
  const failure = gauge(
    "holdfast_backup_last_failure_timestamp_seconds",
    "When a backup failed last.",
    labelNames,
  );
  const failing = gauge("holdfast_backup_failing", "1 where the last backup failed.", labelNames);
  const size = gauge(
    "holdfast_backup_size_bytes",
    "The size of the last good backup, all its segments.",
    labelNames,
  );
  const written = gauge(
    "holdfast_backup_written_bytes",
    "What the last good backup added.",
    labelNames,
  );
  const duration = gauge(
    "holdfast_backup_duration_seconds",
    "How long the last good backup took.",
    labelNames,
  );
  const earliest = gauge(
    "holdfast_backup_window_earliest_timestamp_seconds",
    "The earliest moment that a restore from the last good backup can go to.",
    labelNames,
  );
  const latest = gauge(
    "holdfast_backup_window_latest_timestamp_seconds",
    "The latest moment that a restore from the last good backup can go to.",
    labelNames,
  );
  const healthy = gauge(
    "holdfast_backups_healthy",
    "1 while the health service says that backups are as they should be.",
  );
  const maxAge = gauge(
    "holdfast_backup_max_age_seconds",
    "How old the newest good backup may be; 0: as old as it likes.",
  );
  return ({ backups, backupHealth, backupMaxAgeMicros }) => {
    const labelled = backups.map((record) => ({
      record,
      labels: { index: record.indexLink, destination: record.destination },
    }));
    const good = labelled.filter(({ record }) => record.lastSuccessMicros > 0);
    const failed = labelled.filter(({ record }) => record.lastFailureMicros > 0);
    age(
      good.map(({ record, labels }) => [
        labels,
        Math.max(0, microsToSeconds(nowMicros() - record.lastSuccessMicros)),
      ]),
    );
    success(good.map(({ record, labels }) => [labels, microsToSeconds(record.lastSuccessMicros)]));
    failure(
      failed.map(({ record, labels }) => [labels, microsToSeconds(record.lastFailureMicros)]),
    );
    failing(labelled.map(({ record, labels }) => [labels, record.lastError === "" ? 0 : 1]));
    size(good.map(({ record, labels }) => [labels, record.sizeBytes]));
    written(good.map(({ record, labels }) => [labels, record.bytesWritten]));
    duration(good.map(({ record, labels }) => [labels, microsToSeconds(record.durationMicros)]));
    earliest(
      good.flatMap(({ record: { window }, labels }) =>
        window ? [[labels, microsToSeconds(window.earliestMicros)] as const] : [],
      ),
    );
    latest(
      good.flatMap(({ record: { window }, labels }) =>
        window ? [[labels, microsToSeconds(window.latestMicros)] as const] : [],
      ),
    );
    healthy([[{}, backupHealth.healthy ? 1 : 0]]);
    maxAge([[{}, microsToSeconds(backupMaxAgeMicros)]]);
  };
}

const states = ["OFF", "CURRENT", "WAITING", "RUNNING", "RETRYING"] as const;

/** Automatic backups, from the figures that are kept of them anyway. */
export function autoBackupMetrics(
  registry: Registry,
): (status: AutoBackupStatus, stats: Stats) => void {
  const gauge = gaugesOf(registry);
  const state = gauge(
    "holdfast_auto_backup_state",
    "1 for the state that automatic backups are in.",
    ["state"],
  );
  const failures = gauge(
    "holdfast_auto_backup_failures_in_a_row",
    "How often automatic backups have failed since one was good.",
  );
  const runs = new Counter({
    name: "holdfast_auto_backup_runs_total",
    help: "Automatic backups: performed, failed, or skipped since the next one has their changes too.",
    labelNames: ["outcome"],
    registers: [registry],
  });
  const bytes = new Counter({
    name: "holdfast_auto_backup_bytes_total",
    help: "What automatic backups have written.",
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
