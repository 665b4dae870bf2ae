import {
  AutoBackup,
  type AutoBackupOptions,
  type AutoBackupRun,
} from "../../backup/schedule/auto-backup.js";
import type { Platform } from "../../io/platform.js";
import { autoBackupSetting } from "./auto-backup-setting.js";
import { recordAutoBackup } from "../host/record-stats.js";
import type { Stats } from "../../stats/stats.js";

export interface StartAutoBackupOptions extends Omit<AutoBackupOptions, "enabled" | "onRun"> {
  /** The file with the setting. */
  setting: { platform: Pick<Platform, "files" | "randomHex">; path: string };
  stats: Stats;
  warn(fields: object, message: string): void;
  onRun(run: AutoBackupRun): void;
  /** Called with the error of the last run; undefined if it succeeded or automatic backups are disabled. */
  onHealth(problem: string | undefined): void;
}

/** Starts automatic backups with the stored setting; counts their runs, and logs failures and warnings. `save` stores the setting. */
export async function startAutoBackup(
  options: StartAutoBackupOptions,
): Promise<{ autoBackup: AutoBackup; save(enabled: boolean): Promise<void> }> {
  const { platform, stats, warn, displayName: destination } = options;
  const setting = autoBackupSetting(options.setting.platform, options.setting.path);
  const { enabled, warning } = await setting.load();
  if (warning !== undefined) warn({}, warning);
  /** Warnings that were logged: most runs repeat them. */
  let reported = "";
  const logWarnings = (warnings: readonly string[]) => {
    const text = warnings.join(" ");
    if (text !== "" && text !== reported)
      warn({ destination, warnings }, "automatic backup complete, with warnings");
    reported = text;
  };
  const autoBackup = new AutoBackup({
    ...options,
    enabled,
    onRun(run) {
      recordAutoBackup(stats, run, platform.nowMicros());
      if (run.outcome === "skipped") return;
      options.onRun(run);
      options.onHealth(run.outcome === "failed" ? run.error.message : undefined);
      if (run.outcome === "performed") logWarnings(run.warnings);
      if (run.outcome === "failed")
        warn(
          {
            destination,
            attempts: run.attempts,
            reason: run.error.reason,
            problem: run.error.message,
          },
          "automatic backup failed; retrying",
        );
    },
  });
  return {
    autoBackup,
    async save(chosen) {
      await setting.save(chosen);
      // Disabled backups cannot be unhealthy.
      if (!chosen) options.onHealth(undefined);
    },
  };
}
