import type { Platform } from "../io/platform.js";
import type { StorageEngine } from "./engine.js";
import {
  checkServer,
  PostgresStorageEngine,
  type PostgresStorageOptions,
} from "./postgres/storage-engine.js";
import { SqliteStorageEngine } from "./sqlite/storage-engine.js";

/** What an engine is opened with. */
export interface StorageEngineOptions {
  platform: Platform;
  /** Returns the directory for the index with a link, for engines that keep files. Its parent exists. */
  directoryOf: (link: string) => string;
}

/** The database of the PostgreSQL engine. */
export type DatabaseOptions = PostgresStorageOptions;

/** Opens the engine that keeps indexes in files of this machine. */
export const openSqlite = ({ platform, directoryOf }: StorageEngineOptions): StorageEngine =>
  new SqliteStorageEngine(platform, directoryOf);

/** Opens the engine that keeps indexes in a database, and temporary ones in files of this machine. */
export const openPostgres = (
  options: StorageEngineOptions,
  database: DatabaseOptions,
): StorageEngine => new PostgresStorageEngine(options.platform, database, openSqlite(options));

/** Connects to a database, and checks that it can be trusted. CONFIGURATION_INVALID, DATABASE_UNAVAILABLE, FORMAT_TOO_NEW. */
export const tryPostgres = (address: DatabaseOptions["address"], schema: string): Promise<void> =>
  checkServer(address, schema);
