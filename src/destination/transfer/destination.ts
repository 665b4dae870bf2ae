import type { OpenFile } from "../../io/file-system.js";
import { unsharedLease } from "../../io/lease.js";
import type { Platform } from "../../io/platform.js";
import { readPart } from "../../io/read-file.js";
import type { BackupDescription } from "../../segment/description.js";
import type { ManifestFile } from "../../segment/manifest.js";
import type {
  Capabilities,
  Destination,
  GetOptions,
  ListedEntry,
  Lock,
  ObjectBody,
  ObjectInfo,
  PutOptions,
  StageOptions,
  StagingArea,
  Stored,
} from "../destination.js";
import { requireCapability } from "../objects.js";
import { transferUri } from "./transfer.js";
import type { DownloadDraft, HeldTransfer, Transfers } from "./transfers.js";

const capabilities: Capabilities = {
  list: false,
  remove: false,
  conditionalPut: false,
  lock: "everyone",
  localPath: true,
  objectLock: false,
};

/** Options of a TransferDestination. */
export interface TransferDestinationOptions {
  platform: Platform;
  transfers: Transfers;
  /** Name of the transfer, which is also the name of its only object. */
  name: string;
  /**
   * Called with the manifest of an archive before the transfer is published. Returns the
   * description for its record.
   */
  onStored(manifest: ManifestFile): Promise<BackupDescription>;
}

/**
 * One archive that the host keeps until a client has downloaded it, or that a client has uploaded.
 */
export class TransferDestination implements Destination {
  readonly capabilities = capabilities;
  readonly uri: string;
  readonly #options: TransferDestinationOptions;
  #draft: DownloadDraft | undefined;
  #held: HeldTransfer | undefined;

  constructor(options: TransferDestinationOptions) {
    this.#options = options;
    this.uri = transferUri(options.name);
  }

  uriOf(): string {
    return this.uri;
  }

  displayName(): string {
    return this.uri;
  }

  async put(
    _name: string,
    body: ObjectBody,
    { sizeBytes, sha256, manifest }: PutOptions,
  ): Promise<Stored> {
    if (!("path" in body) || !manifest || !this.#draft)
      throw new TypeError("a transfer only stores an archive from its staging directory");
    const backup = await this.#options.onStored(manifest);
    await this.#draft.publish({ path: body.path, sizeBytes, sha256 }, backup);
    return { verified: false };
  }

  async *get(
    _name: string,
    { signal, offset, end, chunkBytes }: GetOptions,
  ): AsyncGenerator<Buffer> {
    const { files } = this.#options.platform;
    yield* readPart(files, this.#hold().path, { offset, end, chunkBytes }, signal);
  }

  async stat(): Promise<ObjectInfo | undefined> {
    const { transfers, name } = this.#options;
    const found = transfers.list().find((each) => each.name === name && each.complete);
    if (!found) return undefined;
    return { sizeBytes: found.sizeBytes, modifiedMs: found.createTimeMicros / 1000, version: "" };
  }

  /** Also holds the transfer until `close`, so that it does not expire during reads. */
  localPath(): string {
    return this.#hold().path;
  }

  async *list(): AsyncGenerator<ListedEntry> {
    requireCapability(this, "list", "list backups");
  }

  async remove(): Promise<void> {
    requireCapability(this, "remove", "remove backups");
  }

  openLocal(): Promise<OpenFile> {
    return this.#options.platform.files.openToRead(this.localPath());
  }

  /** Not needed, because the name of a new transfer is unique. */
  async lock(): Promise<Lock> {
    return { ...unsharedLease, release: async () => {} };
  }

  async stage({ expectedBytes = 0 }: StageOptions): Promise<StagingArea> {
    const { platform, transfers, name } = this.#options;
    const draft = await transfers.beginDownload(name, expectedBytes);
    this.#draft = draft;
    try {
      await platform.files.makeDirectory(draft.staging);
    } catch (error) {
      draft.release();
      throw error;
    }
    return {
      directory: draft.staging,
      async close() {
        await platform.files.removeTree(draft.staging).catch(() => {});
        draft.release();
      },
    };
  }

  /** The host cleans the directory of transfers when it starts. */
  async removeAbandoned(): Promise<void> {}

  async close(): Promise<void> {
    this.#held?.release();
    this.#held = undefined;
  }

  #hold(): HeldTransfer {
    this.#held ??= this.#options.transfers.hold(this.#options.name);
    return this.#held;
  }
}
