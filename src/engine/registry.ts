import type { Platform } from "../io/platform.js";
import type { StorageEngine } from "./engine.js";
import { SqliteStorageEngine } from "./sqlite/storage-engine.js";

/** What an engine is opened with. */
export interface StorageEngineOptions {
  platform: Platform;
  /** Returns the directory for the index with a link, for engines that keep files. Its parent exists. */
  directoryOf: (link: string) => string;
}

/** Every storage engine by its name. A new engine is one folder beside this file and one line here. */
const storageEngines = {
  sqlite: ({ platform, directoryOf }: StorageEngineOptions): StorageEngine =>
    new SqliteStorageEngine(platform, directoryOf),
};

/** Opens a storage engine by its name. */
export function openStorageEngine(
  name: keyof typeof storageEngines,
  options: StorageEngineOptions,
): StorageEngine {
  return storageEngines[name](options);
}
