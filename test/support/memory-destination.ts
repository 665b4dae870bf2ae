import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import type {
  Destination,
  GetOptions,
  ListedEntry,
  Lock,
  ObjectBody,
  ObjectInfo,
  PutOptions,
  RemoveOptions,
  StagingArea,
  Stored,
} from "../../src/destination/destination.js";
import type { DestinationScheme, OpenedUri, OpenRequest } from "../../src/destination/registry.js";
import { HostError } from "../../src/errors.js";

interface StoredObject {
  bytes: Buffer;
  modifiedMs: number;
}

/** Objects stored under memory: URIs, by bucket and name. */
export class MemoryStore {
  readonly buckets = new Map<string, Map<string, StoredObject>>();
  readonly locks = new Map<string, Promise<void>>();
  /** Open staging areas. */
  readonly staging = new Set<string>();

  bucket(name: string): Map<string, StoredObject> {
    const found = this.buckets.get(name) ?? new Map<string, StoredObject>();
    this.buckets.set(name, found);
    return found;
  }
}

/** A bucket of objects in memory: a destination without local files. */
export class MemoryDestination implements Destination {
  readonly capabilities = {
    list: true,
    remove: true,
    conditionalPut: true,
    lock: "everyone",
    localPath: false,
    objectLock: false,
  } as const;
  readonly uri: string;
  readonly #store: MemoryStore;
  readonly #bucket: string;

  constructor(store: MemoryStore, bucket: string) {
    this.#store = store;
    this.#bucket = bucket;
    this.uri = `memory:${bucket}`;
  }

  uriOf(object: string): string {
    return `${this.uri}/${object}`;
  }

  displayName(object?: string): string {
    return object === undefined ? this.uri : this.uriOf(object);
  }

  async put(name: string, body: ObjectBody, options: PutOptions): Promise<Stored> {
    options.signal.throwIfAborted();
    const present = await this.stat(name);
    if (options.ifVersion !== undefined && (present?.version ?? null) !== options.ifVersion)
      throw new HostError("DESTINATION_OCCUPIED", `${this.displayName(name)} has changed.`);
    const bytes = "path" in body ? readFileSync(body.path) : Buffer.from(body.bytes);
    expect(bytes).toHaveLength(options.sizeBytes);
    this.#objects.set(name, { bytes, modifiedMs: Date.now() });
    return { verified: false };
  }

  async *get(
    name: string,
    { signal, offset = 0, end, chunkBytes = 64 * 1024 }: GetOptions,
  ): AsyncGenerator<Uint8Array> {
    const found = this.#objects.get(name);
    if (!found)
      throw new HostError("BACKUP_NOT_FOUND", `${this.displayName(name)} does not exist.`);
    const { bytes } = found;
    if ((end ?? 0) > bytes.length)
      throw new HostError("BACKUP_DAMAGED", `${this.displayName(name)} ends before ${end}.`);
    for (let at = offset; at < (end ?? bytes.length); at += chunkBytes) {
      signal.throwIfAborted();
      yield bytes.subarray(at, Math.min(at + chunkBytes, end ?? bytes.length));
    }
  }

  async stat(name: string): Promise<ObjectInfo | undefined> {
    const found = this.#objects.get(name);
    if (!found) return undefined;
    const version = createHash("sha256").update(found.bytes).digest("hex");
    return { sizeBytes: found.bytes.length, modifiedMs: found.modifiedMs, version };
  }

  async *list(): AsyncGenerator<ListedEntry> {
    for (const name of [...this.#objects.keys()].sort()) {
      const found = this.#objects.get(name);
      if (found)
        yield {
          name,
          kind: "object",
          sizeBytes: found.bytes.length,
          modifiedMs: found.modifiedMs,
        };
    }
  }

  async remove(names: readonly string[], { lock }: RemoveOptions): Promise<void> {
    for (const name of names) {
      await lock.assertHeld();
      this.#objects.delete(name);
    }
  }

  async lock(object: string | undefined, signal: AbortSignal): Promise<Lock> {
    const key = `${this.#bucket}/${object ?? ""}`;
    const { locks } = this.#store;
    for (let held = locks.get(key); held; held = locks.get(key)) {
      await held;
      signal.throwIfAborted();
    }
    let free = () => {};
    locks.set(key, new Promise((resolve) => (free = resolve)));
    return {
      signal: new AbortController().signal,
      owner: createHash("md5").update(String(Math.random())).digest("hex"),
      assertHeld: async () => {},
      release: async () => {
        locks.delete(key);
        free();
      },
    };
  }

  async stage(): Promise<StagingArea> {
    const directory = mkdtempSync(join(tmpdir(), "holdfast-memory-"));
    mkdirSync(directory, { recursive: true });
    this.#store.staging.add(directory);
    return {
      directory,
      close: async () => {
        this.#store.staging.delete(directory);
        rmSync(directory, { recursive: true, force: true });
      },
    };
  }

  async removeAbandoned(): Promise<void> {}

  async close(): Promise<void> {}

  get #objects(): Map<string, StoredObject> {
    return this.#store.bucket(this.#bucket);
  }
}

/** memory:BUCKET or memory:BUCKET/NAME.zip */
export class MemoryScheme implements DestinationScheme {
  readonly containers = ["DIRECTORY", "ZIP"] as const;
  readonly #open: (bucket: string) => Destination;

  constructor(open: (bucket: string) => Destination) {
    this.#open = open;
  }

  async open({ uri, purpose }: OpenRequest): Promise<OpenedUri> {
    const [bucket = "", object] = uri.slice("memory:".length).split("/");
    const destination = this.#open(bucket);
    if (object === undefined && purpose === "write archive")
      throw new HostError("DESTINATION_INVALID", "Write memory:BUCKET/NAME.zip.");
    return { destination, uri, ...(object !== undefined && { object }) };
  }
}
