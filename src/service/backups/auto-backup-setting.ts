import { HostError } from "../../errors.js";
import { writeFileDurably } from "../../io/durable-file.js";
import { errnoOf } from "../../io/file-system.js";
import { readSmallFile } from "../../io/read-file.js";
import type { Platform } from "../../io/platform.js";

/** Whether automatic backups are on: a small file that outlives the process. */
export interface AutoBackupSetting {
  /** As it was left; off where nobody ever chose. */
  load(): Promise<{ enabled: boolean; warning?: string }>;
  save(enabled: boolean): Promise<void>;
}

const settingBytes = 4096;

export function autoBackupSetting(
  platform: Pick<Platform, "files" | "randomHex">,
  path: string,
): AutoBackupSetting {
  return {
    async load() {
      try {
        const value = JSON.parse(
          (await readSmallFile(platform.files, path, settingBytes)).toString("utf8"),
        ) as unknown;
        if (
          typeof value === "object" &&
          value !== null &&
          "enabled" in value &&
          typeof value.enabled === "boolean"
        )
          return { enabled: value.enabled };
      } catch (error) {
        if (errnoOf(error) === "ENOENT") return { enabled: false };
        // A disk that cannot be read is no choice; a file that holds something else is a lost one.
        if (!(error instanceof SyntaxError) && !(error instanceof HostError)) throw error;
      }
      // Of the two one may be wrong by, backups that nobody wanted harm less than backups that are not there.
      return {
        enabled: true,
        warning: `${path} cannot be read, so automatic backups are taken to be on; switch them on or off anew.`,
      };
    },
    save: (enabled) =>
      writeFileDurably(platform, path, Buffer.from(`${JSON.stringify({ enabled })}\n`)),
  };
}
