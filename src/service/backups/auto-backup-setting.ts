import { JsonFile } from "../../io/json-file.js";
import type { Platform } from "../../io/platform.js";

/** Whether automatic backups are on: a small file that outlives the process. */
export interface AutoBackupSetting {
  /** Off if it was never set. Rejects if the disk cannot be read. */
  load(): Promise<{ enabled: boolean; warning?: string }>;
  save(enabled: boolean): Promise<void>;
}

const settingBytes = 4096;

/** The setting that is kept at a path. An invalid file turns automatic backups on: unwanted backups do less harm than missing ones. */
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
