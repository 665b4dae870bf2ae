import { createHash } from "node:crypto";
import { join } from "node:path";
import { HostError } from "../../errors.js";
import { temporaryPrefix } from "../../io/durable-file.js";
import { acquireLease } from "../../io/lease.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type {
  Capabilities,
  Destination,
  FetchOptions,
  GetOptions,
  ListedEntry,
  Lock,
  ObjectBody,
  ObjectInfo,
  PutOptions,
  StagingArea,
  Stored,
} from "../destination.js";
import { requireCapability } from "../objects.js";
import type { HttpFileClient } from "./client.js";
import { download } from "./download.js";
import { openFileSink } from "../network/file-sink.js";
import { PullSink } from "./pull-sink.js";
import { upload } from "./upload.js";
import type { HttpUri } from "./uri.js";

const capabilities: Capabilities = {
  list: false,
  remove: false,
  conditionalPut: false,
  lock: "host",
  localPath: false,
  objectLock: false,
};

/** Options of an HttpDestination. */
export interface HttpDestinationOptions {
  platform: Platform;
  uri: HttpUri;
  /** Opens a client for the URI. */
  connect(): HttpFileClient;
  /**
   * Directory for packing archives, on the disk of the indexes. The host empties it when it starts.
   */
  temporaryDirectory: string;
  /**
   * Called before the first read, to limit concurrent sources. Returns a function that is called at
   * the end.
   */
  beginReading?(): () => void;
}

/**
 * One object on a web server, written by PUT and read by GET with ranges. Its name is part of the
 * URI.
 */
export class HttpDestination implements Destination {
  readonly capabilities = capabilities;
  readonly uri: string;
  readonly #options: HttpDestinationOptions;
  #endReading: (() => void) | undefined;

  constructor(options: HttpDestinationOptions) {
    this.#options = options;
    this.uri = options.uri.shown;
  }

  uriOf(): string {
    return this.uri;
  }

  displayName(): string {
    return this.uri;
  }

  async put(_name: string, body: ObjectBody, options: PutOptions): Promise<Stored> {
    const { platform } = this.#options;
    const { sizeBytes, sha256, signal, onBytes = () => {} } = options;
    await this.#connected((client) =>
      upload(platform, client, { body, sizeBytes, sha256 }, signal, onBytes),
    );
    return { verified: false };
  }

  async *get(
    _name: string,
    { signal, offset = 0, end = Infinity }: GetOptions,
  ): AsyncGenerator<Buffer> {
    this.#begin();
    const { platform } = this.#options;
    const client = this.#options.connect();
    const stop = new AbortController();
    const sink = new PullSink(offset, end);
    // One range at a time, because the consumer needs the bytes in order.
    const done = download(platform, client, sink, 1, AbortSignal.any([signal, stop.signal]));
    done.then(
      () => sink.end(),
      (error: unknown) => sink.fail(error),
    );
    try {
      yield* sink;
    } finally {
      stop.abort();
      await done.catch(() => {});
      client.close();
    }
  }

  async fetch(_name: string, path: string, { signal, onBytes = () => {} }: FetchOptions) {
    this.#begin();
    const { platform, temporaryDirectory } = this.#options;
    await this.#connected(async (client) => {
      const sink = await openFileSink(platform, path, temporaryDirectory, client.name, onBytes);
      try {
        await download(platform, client, sink, limits.httpRequests, signal);
      } finally {
        await sink.close();
      }
    });
  }

  /** Always unknown, because servers that accept PUT often reject HEAD. */
  async stat(): Promise<ObjectInfo | undefined> {
    return undefined;
  }

  async *list(): AsyncGenerator<ListedEntry> {
    requireCapability(this, "list", "list backups");
  }

  async remove(): Promise<void> {
    requireCapability(this, "remove", "remove backups");
  }

  /** Two concurrent uploads to one URI would mix their contents. */
  async lock(_object: string | undefined, signal: AbortSignal): Promise<Lock> {
    const { platform, uri, temporaryDirectory } = this.#options;
    const key = createHash("sha256")
      .update(`${uri.authority.toLowerCase()}${uri.target}`)
      .digest("hex")
      .slice(0, 32);
    const path = join(temporaryDirectory, `${temporaryPrefix}${key}.lease`);
    return acquireLease(platform, path, signal).catch((error: unknown) => {
      if (!(error instanceof HostError) || error.reason !== "DESTINATION_BUSY") throw error;
      throw new HostError(
        "DESTINATION_BUSY",
        `Another backup to ${uri.shown} is running. Try again when it has finished.`,
        { cause: error },
      );
    });
  }

  async stage(): Promise<StagingArea> {
    const { platform, temporaryDirectory } = this.#options;
    const directory = join(
      temporaryDirectory,
      `${temporaryPrefix}packing-${platform.randomHex(8)}`,
    );
    await platform.files.makeDirectory(directory);
    return { directory, close: () => platform.files.removeTree(directory) };
  }

  /** The host empties the temporary directory when it starts. */
  async removeAbandoned(): Promise<void> {}

  async close(): Promise<void> {
    this.#endReading?.();
    this.#endReading = undefined;
  }

  #begin(): void {
    this.#endReading ??= this.#options.beginReading?.();
  }

  async #connected<T>(work: (client: HttpFileClient) => Promise<T>): Promise<T> {
    const client = this.#options.connect();
    try {
      return await work(client);
    } finally {
      client.close();
    }
  }
}
