import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { HostError } from "../../errors.js";
import { publishFile, temporaryPrefix, writeFileDurably } from "../../io/durable-file.js";
import { errnoOf, type FileSystem, type OpenFile } from "../../io/file-system.js";
import { acquireLease, type HeldLease, type Lease } from "../../io/lease.js";
import type { LeaseOptions } from "../../io/platform-options.js";
import type { Platform } from "../../io/platform.js";
import { readPart } from "../../io/read-file.js";
import { limits } from "../../limits.js";
import {
  directoryLease,
  notePrefix,
  type Capabilities,
  type Destination,
  type GetOptions,
  type ListedEntry,
  type ListEntriesOptions,
  type Lock,
  type ObjectBody,
  type ObjectInfo,
  type PutOptions,
  type RemoveOptions,
  type StageOptions,
  type StagingArea,
  type Stored,
} from "../destination.js";

const capabilities: Capabilities = {
  list: true,
  remove: true,
  conditionalPut: true,
  lock: "everyone",
  localPath: true,
  objectLock: false,
};

/** Prefix of staging areas of archives, which the lease of the archive protects. */
const archivePrefix = `${temporaryPrefix}zip-`;
/** Prefix of staging areas without a lock. Each contains a lease while it is in use. */
const heldStagingPrefix = `${temporaryPrefix}merge-`;
const heldStagingLease = "lease";
/** Attempts to create and lock a directory that other writers remove. */
const enterAttempts = 20;

/** Options of a FileDestination. */
export interface FileDestinationOptions {
  platform: Platform;
  /** Absolute path. */
  path: string;
  /** Whether `lock` creates the directory. It never creates the parent. Default: false. */
  create?: boolean;
  /** Default: the options of the platform. */
  lease?: LeaseOptions;
}

/** A local directory. Each object is a file in it. */
export class FileDestination implements Destination {
  readonly capabilities = capabilities;
  readonly uri: string;
  readonly #platform: Platform;
  readonly #path: string;
  readonly #create: boolean;
  readonly #lease: LeaseOptions | undefined;
  /** Names of the open staging areas of this object. */
  readonly #staging = new Set<string>();

  constructor({ platform, path, create = false, lease = platform.lease }: FileDestinationOptions) {
    this.#platform = platform;
    this.#path = path;
    this.#create = create;
    this.#lease = lease;
    this.uri = pathToFileURL(path).href;
  }

  displayName(object?: string): string {
    return object === undefined ? this.#path : join(this.#path, object);
  }

  uriOf(object: string): string {
    return pathToFileURL(this.localPath(object)).href;
  }

  localPath(name: string): string {
    return join(this.#path, name);
  }

  openLocal(name: string): Promise<OpenFile> {
    return this.#platform.files.openToRead(this.localPath(name));
  }

  child(name: string): FileDestination {
    return new FileDestination({ platform: this.#platform, path: join(this.#path, name) });
  }

  async put(name: string, body: ObjectBody, options: PutOptions): Promise<Stored> {
    options.signal.throwIfAborted();
    const path = this.localPath(name);
    await this.#requireVersion(path, options.ifVersion);
    if ("path" in body) await publishFile(this.#platform, body.path, path);
    else if (options.durable ?? true) await writeFileDurably(this.#platform, path, body.bytes);
    else await this.#writeUnsynced(path, body.bytes);
    return { verified: false };
  }

  async *get(
    name: string,
    { signal, offset, end, chunkBytes }: GetOptions,
  ): AsyncGenerator<Buffer> {
    const { files } = this.#platform;
    const path = this.localPath(name);
    try {
      yield* readPart(files, path, { offset, end, chunkBytes }, signal);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      throw new HostError("BACKUP_NOT_FOUND", `${path} does not exist.`, { cause: error });
    }
  }

  async stat(name: string): Promise<ObjectInfo | undefined> {
    const status = await this.#platform.files.status(this.localPath(name));
    return status?.kind === "file" ? status : undefined;
  }

  async *list({ signal, details = false }: ListEntriesOptions): AsyncGenerator<ListedEntry> {
    for (const name of await this.#platform.files.list(this.#path)) {
      signal.throwIfAborted();
      if (!details) {
        yield { name };
        continue;
      }
      const status = await this.#platform.files.status(this.localPath(name));
      const kinds = { file: "object", directory: "namespace", other: "other" } as const;
      if (status === undefined) yield { name, kind: "other" };
      else yield { ...status, name, kind: kinds[status.kind] };
    }
  }

  async remove(names: readonly string[], { lock, durable = true }: RemoveOptions): Promise<void> {
    for (const name of names) {
      await lock.assertHeld();
      await this.#platform.files.remove(this.localPath(name));
    }
    if (durable && names.length > 0) await this.#platform.files.syncDirectory(this.#path);
  }

  async lock(object: string | undefined, signal: AbortSignal): Promise<Lock> {
    if (object !== undefined) {
      await requireParent(this.#platform.files, this.localPath(object));
      return acquireLease(this.#platform, this.localPath(`${object}.lease`), signal, this.#lease);
    }
    let created = false;
    for (let left = enterAttempts; ; left -= 1) {
      created = (await this.#createDirectory()) || created;
      try {
        const lease = await acquireLease(
          this.#platform,
          this.localPath(directoryLease),
          signal,
          this.#lease,
        );
        return {
          signal: lease.signal,
          owner: lease.owner,
          assertHeld: () => lease.assertHeld(),
          release: () => this.#leave(lease, created),
        };
      } catch (error) {
        // A failed first backup may have removed the directory that it had created.
        if (errnoOf(error) !== "ENOENT" || left === 0) throw error;
      }
    }
  }

  async stage({ object, lock }: StageOptions): Promise<StagingArea> {
    const { files } = this.#platform;
    const suffix = this.#platform.randomHex(8);
    const name =
      object !== undefined
        ? `${archiveStaging(object)}${suffix}.staging`
        : `${lock === undefined ? heldStagingPrefix : `${temporaryPrefix}staging-`}${suffix}`;
    const directory = this.localPath(name);
    await files.makeDirectory(directory);
    this.#staging.add(name);
    let held: Lease | undefined;
    try {
      if (lock === undefined) {
        held = await acquireLease(
          this.#platform,
          join(directory, heldStagingLease),
          new AbortController().signal,
        );
      }
    } catch (error) {
      this.#staging.delete(name);
      await files.removeTree(directory).catch(() => {});
      throw error;
    }
    return {
      directory,
      close: async () => {
        this.#staging.delete(name);
        await held?.release().catch(() => {});
        await files.removeTree(directory).catch((error: unknown) => {
          // The directory may have been replaced by a file.
          if (errnoOf(error) !== "ENOTDIR") throw error;
        });
      },
    };
  }

  async removeAbandoned(object: string | undefined, lock: HeldLease): Promise<void> {
    const { files } = this.#platform;
    for (const name of await files.list(this.#path)) {
      if (!(await this.#isAbandoned(name, object))) continue;
      await lock.assertHeld();
      await files.removeTree(this.localPath(name));
    }
  }

  async freeBytes(): Promise<number> {
    return this.#platform.files.freeBytes((await this.exists()) ? this.#path : dirname(this.#path));
  }

  async exists(): Promise<boolean> {
    return (await this.#platform.files.status(this.#path))?.kind === "directory";
  }

  identity(): Promise<string> {
    return this.#platform.files.realPath(this.#path);
  }

  async close(): Promise<void> {}

  async #requireVersion(path: string, wanted: string | null | undefined): Promise<void> {
    if (wanted === undefined) return;
    const present = (await this.#platform.files.status(path))?.version;
    if (present === (wanted ?? undefined)) return;
    throw new HostError(
      "DESTINATION_OCCUPIED",
      `${path} was changed by another program during the backup and was not replaced. Back up again.`,
      { metadata: { path } },
    );
  }

  async #writeUnsynced(path: string, bytes: Uint8Array): Promise<void> {
    await this.#platform.files.remove(path);
    const file = await this.#platform.files.create(path);
    try {
      await file.write(bytes, 0);
    } finally {
      await file.close();
    }
  }

  /** Creates the directory if configured to. Returns whether it did. */
  async #createDirectory(): Promise<boolean> {
    const { files } = this.#platform;
    const status = await files.status(this.#path);
    if (status && status.kind !== "directory") {
      throw new HostError(
        "DESTINATION_OCCUPIED",
        `destination ${this.#path} must be a local directory for incremental backup.`,
      );
    }
    if (status || !this.#create) return false;
    await requireParent(files, this.#path);
    // Another backup may create the directory at the same time. The lease in it decides which one
    // runs first.
    await files.makeDirectory(this.#path).catch((error: unknown) => {
      if (errnoOf(error) !== "EEXIST") throw error;
    });
    await files.syncDirectory(dirname(this.#path));
    return true;
  }

  /** Releases the lease, and removes the directory if a failed backup left it empty. */
  async #leave(lease: Lease, created: boolean): Promise<void> {
    await lease.release();
    if (created) await this.#platform.files.removeEmptyDirectory(this.#path).catch(() => {});
  }

  async #isAbandoned(name: string, object: string | undefined): Promise<boolean> {
    if (this.#staging.has(name)) return false;
    if (object !== undefined) return name.startsWith(archiveStaging(object));
    if (!name.startsWith(temporaryPrefix) || name === directoryLease) return false;
    if (name.startsWith(archivePrefix) || name.startsWith(notePrefix)) return false;
    return !(name.startsWith(heldStagingPrefix) && (await this.#isStagingInUse(name)));
  }

  /**
   * Whether the lease of a staging area is about as recent as that of the directory, by the clock
   * of the file system.
   */
  async #isStagingInUse(name: string): Promise<boolean> {
    const { files } = this.#platform;
    const [staging, own] = await Promise.all([
      files.status(join(this.localPath(name), heldStagingLease)),
      files.status(this.localPath(directoryLease)),
    ]);
    return (
      staging !== undefined &&
      own !== undefined &&
      own.modifiedMs - staging.modifiedMs < limits.leaseExpiryMs
    );
  }
}

/**
 * Returns the prefix of the staging areas of an archive. It contains a digest of the name, whose
 * length is fixed.
 */
function archiveStaging(object: string): string {
  return `${archivePrefix}${createHash("sha256").update(object).digest("hex").slice(0, 16)}-`;
}

/**
 * Throws DESTINATION_MISSING unless the parent directory of a path exists, so that a typo does not
 * create a backup elsewhere.
 */
export async function requireParent(files: FileSystem, path: string): Promise<void> {
  const parent = dirname(path);
  if ((await files.status(parent))?.kind === "directory") return;
  throw new HostError(
    "DESTINATION_MISSING",
    `Cannot back up to ${path}: the directory ${parent} does not exist. Create it or mount the disk.`,
    { metadata: { path } },
  );
}
