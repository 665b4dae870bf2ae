import { once } from "node:events";
import { join } from "node:path";
import { HostError } from "../../errors.js";
import { temporaryPrefix } from "../../io/durable-file.js";
import { eachConcurrently } from "../../io/each-concurrently.js";
import type { HeldLease } from "../../io/lease.js";
import type { Platform } from "../../io/platform.js";
import { formatTime } from "../../io/time.js";
import { limits } from "../../limits.js";
import {
  directoryLease,
  type Capabilities,
  type Destination,
  type FetchOptions,
  type GetOptions,
  type ListedEntry,
  type ListEntriesOptions,
  type Lock,
  type ObjectBody,
  type ObjectInfo,
  type PutOptions,
  type RemoveOptions,
  type Retention,
  type StagingArea,
  type Stored,
  type StoreFeature,
} from "../destination.js";
import { openFileSink } from "../network/file-sink.js";
import { readBack } from "../objects.js";
import type { S3Bucket, S3Condition, S3Written } from "./bucket.js";
import { downloadObject, readInOrder } from "./download.js";
import { isNoSuchUpload } from "./failure.js";
import { acquireS3Lease } from "./lease.js";
import { describeFeatures, probeStore, type StoreFeatures } from "./store-check.js";
import { uploadFile } from "./upload.js";
import { formatS3Uri, type S3Uri } from "./uri.js";

/** Options of an S3Destination. */
export interface S3DestinationOptions {
  platform: Platform;
  uri: S3Uri;
  bucket: S3Bucket;
  /** What the store enforces, once it was found out; shared by all destinations at the store. */
  probed: ProbedStore;
  /** Directory for packing and fetching archives. The host empties it when it starts. */
  temporaryDirectory: string;
}

/** What the store of a bucket enforces, or undefined before it was probed. */
export interface ProbedStore {
  running?: Promise<StoreFeatures> | undefined;
  known?: StoreFeatures;
}

/** Waits until a promise is settled. Throws only the reason of the signal. */
async function settled(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const aborted = once(signal, "abort", { signal: done.signal });
  try {
    await Promise.race([promise, aborted]).catch(() => {});
    signal.throwIfAborted();
  } finally {
    done.abort();
    await aborted.catch(() => {});
  }
}

/** A store refuses a lock in the past without saying so. */
function requireLasting({ untilMs }: Retention, nowMicros: number, uri: string): void {
  if (untilMs * 1000 > nowMicros) return;
  throw new HostError(
    "REQUEST_INVALID",
    `Cannot lock ${uri}: the lock ended at ${formatTime(untilMs * 1000)}, before the backup was complete. Use a later time.`,
    { metadata: { field: "lock_until_micros" } },
  );
}

const checkPrefix = `${temporaryPrefix}check-`;
const archiveLease = (object: string) => `${object}.lease`;

/** Objects in a bucket of an S3-compatible store, below a prefix. */
export class S3Destination implements Destination {
  readonly uri: string;
  readonly #options: S3DestinationOptions;
  readonly #prefix: string;

  constructor(options: S3DestinationOptions) {
    this.#options = options;
    this.uri = formatS3Uri(options.uri);
    this.#prefix = options.uri.path.map((name) => `${name}/`).join("");
  }

  get capabilities(): Capabilities {
    const { known } = this.#options.probed;
    const conditional = known?.conditionalCreate === true && known.conditionalUpdate;
    return {
      list: true,
      remove: true,
      conditionalPut: conditional,
      lock: conditional ? "everyone" : "host",
      localPath: false,
      objectLock: known?.objectLock === true,
    };
  }

  uriOf(object: string): string {
    const { uri } = this.#options;
    return formatS3Uri({ ...uri, path: [...uri.path, object] });
  }

  displayName(object?: string): string {
    return object === undefined ? this.uri : this.uriOf(object);
  }

  async probe(signal: AbortSignal): Promise<readonly StoreFeature[]> {
    const { probed } = this.#options;
    while (probed.known === undefined) {
      signal.throwIfAborted();
      if (probed.running) {
        // Its caller may be cancelled, which says nothing about the store.
        await settled(probed.running, signal);
        continue;
      }
      const check = this.#check(signal);
      probed.running = check;
      try {
        probed.known = await check;
      } finally {
        probed.running = undefined;
      }
    }
    return describeFeatures(probed.known);
  }

  /** One request that only reads. */
  async supportsObjectLock(signal: AbortSignal): Promise<boolean | undefined> {
    return this.#options.bucket.hasObjectLock(signal);
  }

  warnings(): string[] {
    const { known } = this.#options.probed;
    if (known === undefined) return [];
    const problems: string[] = [];
    if (!known.conditionalCreate || !known.conditionalUpdate)
      problems.push(
        `The store of ${this.uri} does not enforce conditional writes, so that its lock may fail between hosts. Use one prefix per host.`,
      );
    if (!known.listConsistency)
      problems.push(
        `The store of ${this.uri} lists objects late, so that a backup may not see the previous one and then starts a new base.`,
      );
    return problems;
  }

  async put(name: string, body: ObjectBody, options: PutOptions): Promise<Stored> {
    const { bucket, platform } = this.#options;
    const { sizeBytes, sha256, signal, retention, onBytes = () => {} } = options;
    const key = this.#key(name);
    if (retention) requireLasting(retention, platform.nowMicros(), this.uriOf(name));
    const write = { signal, retention, condition: this.#conditionOf(options) };
    try {
      if ("bytes" in body) {
        const { bytes } = body;
        const checksum = sha256 === "" ? undefined : sha256;
        const written = await bucket.put(
          key,
          { sizeBytes, sha256: checksum, open: () => bytes },
          write,
        );
        onBytes(sizeBytes);
        return { verified: await this.#isVerified(key, written, checksum, signal) };
      }
      const upload = { key, path: body.path, sizeBytes, sha256 };
      const written = await uploadFile(platform, bucket, upload, { ...write, onBytes });
      const verified = await this.#isVerified(key, written, written.expectedChecksum, signal);
      return { verified };
    } catch (error) {
      if (await this.#isAlreadyStored(name, error, options)) return { verified: true };
      throw error;
    }
  }

  async *get(
    name: string,
    { signal, offset = 0, end, chunkBytes = limits.copyChunkBytes }: GetOptions,
  ): AsyncGenerator<Buffer> {
    if (end !== undefined && end <= offset) return;
    const uri = this.uriOf(name);
    const chunks = readInOrder(this.#options.bucket, this.#key(name), { offset, end, uri }, signal);
    for await (const chunk of chunks)
      for (let at = 0; at < chunk.length; at += chunkBytes)
        yield chunk.subarray(at, at + chunkBytes);
  }

  async fetch(
    name: string,
    path: string,
    { signal, maxBytes = Number.MAX_SAFE_INTEGER, onBytes = () => {} }: FetchOptions,
  ): Promise<void> {
    const { bucket, platform, temporaryDirectory } = this.#options;
    const uri = this.uriOf(name);
    const sink = await openFileSink(platform, path, temporaryDirectory, uri, onBytes);
    try {
      await downloadObject(bucket, this.#key(name), sink, { uri, maxBytes }, signal);
    } finally {
      await sink.close();
    }
  }

  async stat(name: string, signal: AbortSignal): Promise<ObjectInfo | undefined> {
    const found = await this.#options.bucket.head(this.#key(name), signal);
    if (found === undefined) return undefined;
    const { sizeBytes, modifiedMs, etag, lockedUntilMs } = found;
    return {
      sizeBytes,
      modifiedMs,
      version: etag,
      ...(lockedUntilMs !== undefined && { lockedUntilMs }),
    };
  }

  async *list({ signal }: ListEntriesOptions): AsyncGenerator<ListedEntry> {
    for await (const { name, object } of this.#options.bucket.list(this.#prefix, signal)) {
      if (object) yield { name, kind: "object", ...object };
      else yield { name: name.slice(0, -1), kind: "namespace" };
    }
  }

  async remove(names: readonly string[], { lock, signal }: RemoveOptions): Promise<void> {
    await eachConcurrently(names, limits.s3Ranges, signal, async (name, either) => {
      await lock.assertHeld();
      await this.#options.bucket.remove(this.#key(name), either);
    });
  }

  async lock(object: string | undefined, signal: AbortSignal): Promise<Lock> {
    const { platform, bucket } = this.#options;
    await this.probe(signal);
    const name = object === undefined ? directoryLease : archiveLease(object);
    return acquireS3Lease(
      {
        platform,
        bucket,
        key: this.#key(name),
        uri: this.uriOf(name),
        conditional: this.capabilities.lock === "everyone",
        conditionalRemove: this.#options.probed.known?.conditionalRemove === true,
        conditionalRecreate: this.#options.probed.known?.conditionalRecreate === true,
      },
      signal,
    );
  }

  async stage(): Promise<StagingArea> {
    const { platform, temporaryDirectory } = this.#options;
    const name = `${temporaryPrefix}packing-${platform.randomHex(8)}`;
    const directory = join(temporaryDirectory, name);
    await platform.files.makeDirectory(directory);
    return { directory, close: () => platform.files.removeTree(directory) };
  }

  /**
   * Aborts multipart uploads of interrupted writers. Where the lock does not exclude other machines, only
   * those that began long ago. Uploads of an archive in the namespace belong to the lock of the archive.
   */
  async removeAbandoned(object: string | undefined, lock: HeldLease): Promise<void> {
    await lock.assertHeld();
    const isExclusive = this.capabilities.lock === "everyone";
    const nowMs = this.#options.platform.nowMicros() / 1000;
    const beforeMs = isExclusive ? Number.MAX_SAFE_INTEGER : nowMs - limits.s3AbandonedMs;
    const { bucket } = this.#options;
    const prefix = object === undefined ? this.#prefix : this.#key(object);
    const uploads = await bucket.uploads(prefix, lock.signal);
    for (const { key, uploadId, startedMs } of uploads) {
      const name = key.slice(this.#prefix.length);
      const isOwn =
        object === undefined
          ? !name.includes("/") &&
            (await bucket.head(this.#key(archiveLease(name)), lock.signal)) === undefined
          : name === object;
      if (isOwn && startedMs <= beforeMs) await bucket.abortUpload(key, uploadId, lock.signal);
    }
    if (object === undefined) await this.#removeChecks(lock);
  }

  #check(signal: AbortSignal): Promise<StoreFeatures> {
    const { bucket, platform } = this.#options;
    const name = `${checkPrefix}${platform.randomHex(8)}`;
    return probeStore(bucket, this.#prefix, name, signal);
  }

  /** Removes the objects of checks that were interrupted. A check takes no lock, and lasts seconds. */
  async #removeChecks(lock: HeldLease): Promise<void> {
    const { bucket, platform } = this.#options;
    const beforeMs = platform.nowMicros() / 1000 - limits.s3AbandonedMs;
    for await (const { name, object } of bucket.list(`${this.#prefix}${checkPrefix}`, lock.signal))
      if (object && object.modifiedMs < beforeMs)
        await bucket.remove(this.#key(`${checkPrefix}${name}`), lock.signal);
  }

  child(name: string): Destination {
    const { uri } = this.#options;
    return new S3Destination({ ...this.#options, uri: { ...uri, path: [...uri.path, name] } });
  }

  async extendRetention(name: string, retention: Retention, signal: AbortSignal): Promise<void> {
    const { bucket } = this.#options;
    const found = await bucket.head(this.#key(name), signal);
    const { lockedUntilMs = 0, lockMode } = found ?? {};
    // A lock is never weakened: a store refuses another mode than COMPLIANCE, and an earlier time.
    const mode = lockMode === "COMPLIANCE" ? lockMode : retention.mode;
    if (lockedUntilMs >= retention.untilMs && mode === lockMode) return;
    const untilMs = Math.max(retention.untilMs, lockedUntilMs);
    try {
      await bucket.retain(this.#key(name), { mode, untilMs }, signal);
    } catch (error) {
      const isRefused = error instanceof HostError && error.reason === "DESTINATION_REFUSED";
      if (!isRefused || lockMode === undefined || mode === lockMode) throw error;
      throw new HostError(
        "DESTINATION_REFUSED",
        `Cannot lock ${this.uriOf(name)} in mode ${mode}: it is locked in mode ${lockMode}, and the store does not change that. Start with a new base: back up with full.`,
        { metadata: error.metadata, cause: error },
      );
    }
  }

  /** The connections are shared by all destinations at the store. */
  async close(): Promise<void> {}

  #key(name: string): string {
    return `${this.#prefix}${name}`;
  }

  #conditionOf({ ifVersion }: PutOptions): S3Condition | undefined {
    if (ifVersion === undefined || !this.capabilities.conditionalPut) return undefined;
    if (ifVersion !== null) return { etag: ifVersion };
    // Otherwise, an object that was removed could never be stored again. The lock excludes other writers.
    return this.#options.probed.known?.conditionalRecreate ? { absent: true } : undefined;
  }

  /** Whether the store has compared the bytes with their digest, and says so. */
  async #isVerified(
    key: string,
    { checksum }: S3Written,
    expected: string | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (expected === undefined || this.#options.probed.known?.checksums !== true) return false;
    const base64 = /^[0-9a-f]{64}$/.test(expected)
      ? Buffer.from(expected, "hex").toString("base64")
      : expected;
    const reported = checksum ?? (await this.#options.bucket.head(key, signal))?.checksum;
    return reported === base64;
  }

  /** Whether an earlier attempt has stored the object, and only its response was lost. */
  async #isAlreadyStored(
    name: string,
    error: unknown,
    { sizeBytes, sha256, signal }: PutOptions,
  ): Promise<boolean> {
    if (!(error instanceof HostError) || sha256 === "" || signal.aborted) return false;
    if (error.reason !== "DESTINATION_OCCUPIED" && !isNoSuchUpload(error)) return false;
    try {
      await readBack(this, name, { sizeBytes, sha256 }, signal);
      return true;
    } catch {
      return false;
    }
  }
}
