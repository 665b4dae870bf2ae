import { join } from "node:path";
import { temporaryPrefix } from "../../io/durable-file.js";
import type { Platform } from "../../io/platform.js";
import type {
  BuildRequest,
  IndexStorage,
  OpenIndexOptions,
  StorageEngine,
  TemporaryIndex,
} from "../engine.js";
import { SqliteIndexStorage } from "./index-storage.js";
import { buildInProcess } from "./run-build.js";
import { SqliteEngine } from "./sqlite-engine.js";

/** Keeps each generation of an index in an SQLite database of its own. One host per index: the data directory is locked. */
export class SqliteStorageEngine implements StorageEngine {
  /** `directoryOf` returns the directory of the index with a link; its parent exists. */
  constructor(
    private readonly platform: Platform,
    private readonly directoryOf: (link: string) => string,
  ) {}

  openIndex(options: OpenIndexOptions): Promise<IndexStorage> {
    return SqliteIndexStorage.open(this.platform, this.directoryOf(options.link), options);
  }

  async openTemporary({
    directory: parent,
    ...request
  }: BuildRequest & { directory: string }): Promise<TemporaryIndex> {
    const { files, nowMicros, randomHex } = this.platform;
    const directory = join(parent, `${temporaryPrefix}scratch-${randomHex(8)}`);
    const remove = () => files.removeTree(directory).catch(() => {});
    try {
      await files.makeDirectory(directory);
      const built = await buildInProcess(directory, request);
      const engine = await SqliteEngine.open(directory, {
        link: directory,
        durable: false,
        minTimeMicros: 0,
        nowMicros,
        retainedVersions: Number.MAX_SAFE_INTEGER,
        historyMicros: Number.MAX_SAFE_INTEGER,
      });
      return {
        ...built,
        engine,
        async close() {
          await engine.close();
          await remove();
        },
      };
    } catch (error) {
      await remove();
      throw error;
    }
  }
}
