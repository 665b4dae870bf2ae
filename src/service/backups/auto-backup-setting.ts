import { JsonFile } from "../../io/json-file.js";
import type { Platform } from "../../io/platform.js";

/** Persistent setting whether automatic backups are enabled. */
export interface AutoBackupSetting {
  /** Reads the setting. Default: disabled. Rejects if the disk cannot be read. */
  load(): Promise<{ enabled: boolean; warning?: string }>;
  save(enabled: boolean): Promise<void>;
}

const settingBytes = 4096;

/** Creates the setting, stored at a path. An invalid file enables automatic backups: unwanted backups do less harm than missing ones. */
export function autoBackupSetting(
  platform: Pick<Platform, "files" | "randomHex">,
  path: string,
): AutoBackupSetting {
  const file = new JsonFile<boolean>({ platform, path, maxBytes: settingBytes, parse: enabledIn });
  return {
    async load() {
      const content = await file.read();
      switch (content.state) {
        case "read":
          return { enabled: content.value };
        case "missing":
          return { enabled: false };
        case "failed":
          throw content.error;
        case "invalid":
          return {
            enabled: true,
            warning: `${path} is not valid, so automatic backups are assumed to be on. Turn them on or off to replace the file.`,
          };
      }
    },
    save: (enabled) => file.write({ enabled }),
  };
}

function enabledIn(value: unknown): boolean | undefined {
  if (typeof value !== "object" || value === null || !("enabled" in value)) return undefined;
  return typeof value.enabled === "boolean" ? value.enabled : undefined;
}
