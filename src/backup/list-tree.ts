import { isXenonFile } from "../container/manifests.js";
import { openDirectoryReader } from "../container/directory-reader.js";
import { openReader, type OpenReaderOptions } from "../container/open.js";
import { directoryLease, type Destination, type ListedEntry } from "../destination/destination.js";
import { requireCapability } from "../destination/objects.js";
import { HostError } from "../errors.js";
import { temporaryPrefix } from "../io/durable-file.js";
import { fromFileError } from "../io/file-error.js";
import type { Platform } from "../io/platform.js";
import { limits } from "../limits.js";
import { isSegmentName, parseManifestName } from "../segment/format.js";
import { listBackups } from "./inspect.js";
import type { BackupListing, BackupState } from "./listing.js";

/**
 * Lists all complete, incomplete and foreign backups in a destination and its subdirectories:
 * directories with backups, .zip archives, and backups of Xenon. Skipped items have an entry with
 * the reason. Throws REQUEST_INVALID if there are more than limits.listedFiles entries.
 */
export async function listTree(
  platform: Pick<Platform, "files" | "randomHex">,
  root: Destination,
  options: OpenReaderOptions,
): Promise<BackupListing[]> {
  requireCapability(root, "list", "list backups");
  const tree = new TreeListing(platform, root, options);
  try {
    if ((await root.exists?.()) === false) {
      const path = root.displayName();
      throw new HostError("BACKUP_NOT_FOUND", `Directory ${path} not found.`, {
        metadata: { path },
      });
    }
    return await tree.list();
  } catch (error) {
    throw fromFileError(error, `Listing ${root.displayName()}`);
  }
}

/** A directory below the root. */
interface Visit {
  destination: Destination;
  identity: string;
  depth: number;
  modifiedMs?: number | undefined;
}

class TreeListing {
  readonly #platform: Pick<Platform, "files" | "randomHex">;
  readonly #root: Destination;
  readonly #options: OpenReaderOptions;
  readonly #signal: AbortSignal;
  readonly #found: BackupListing[] = [];
  #seen = 0;
  /** File identities already visited, to detect link loops and duplicates. */
  readonly #visited = new Set<string>();
  /** Symbolic links, followed after everything else, so that files are listed under their own names. */
  readonly #links: Visit[] = [];

  constructor(
    platform: Pick<Platform, "files" | "randomHex">,
    root: Destination,
    options: OpenReaderOptions,
  ) {
    this.#platform = platform;
    this.#root = root;
    this.#options = options;
    this.#signal = options.signal;
  }

  async list(): Promise<BackupListing[]> {
    const root = { destination: this.#root, identity: await identityOf(this.#root), depth: 0 };
    await this.#visit(root);
    for (let link = this.#links.shift(); link; link = this.#links.shift()) {
      const { identity } = link;
      if (!this.#visited.has(identity) && !isBelow(identity, root.identity))
        await this.#visitSafely(link);
    }
    return this.#found;
  }

  async #visit({ destination, identity, depth }: Visit): Promise<void> {
    this.#signal.throwIfAborted();
    this.#visited.add(identity);
    const entries: ListedEntry[] = [];
    for await (const entry of destination.list({ signal: this.#signal, details: true })) {
      this.#seen += 1;
      if (this.#seen > limits.listedFiles) {
        throw new HostError(
          "REQUEST_INVALID",
          `More than ${limits.listedFiles} files below ${this.#root.displayName()}. List a subdirectory.`,
        );
      }
      entries.push(entry);
    }
    this.#found.push(...(await this.#listNamespace(destination, entries)));
    for (const entry of entries) {
      const { name, kind } = entry;
      if (name.startsWith(temporaryPrefix)) continue;
      if (kind === "other" && name.includes("\ufffd")) {
        const problem = "not listed: its name is not UTF-8. Rename it";
        this.#found.push(listingOf(destination, entry, "FOREIGN", problem));
      } else if (kind === "namespace") {
        await this.#enter(destination, entry, { identity, depth });
      } else if (kind === "object" && /\.zip$/i.test(name)) {
        this.#found.push(...(await this.#listArchive(destination, entry)));
      }
    }
  }

  async #enter(
    parent: Destination,
    { name, modifiedMs }: ListedEntry,
    at: Pick<Visit, "identity" | "depth">,
  ): Promise<void> {
    const destination = parent.child?.(name);
    if (!destination) return;
    const identity = await identityOf(destination);
    const visit = { destination, identity, depth: at.depth + 1, modifiedMs };
    // Only a file system has links. The URIs of a store are encoded, and differ from the joined names.
    const isLink = destination.identity !== undefined && identity !== joined(at.identity, name);
    if (isLink) this.#links.push(visit);
    else if (!this.#visited.has(identity)) await this.#visitSafely(visit);
  }

  async #visitSafely(visit: Visit): Promise<void> {
    const { destination, modifiedMs } = visit;
    if (visit.depth > limits.listedDepth) {
      const problem = `not listed: it is more than ${limits.listedDepth} directories below ${this.#root.displayName()}. List it by itself`;
      this.#found.push(listingOf(destination, undefined, "FOREIGN", problem, modifiedMs));
      return;
    }
    await this.#visit(visit).catch((error: unknown) => {
      const listing = unreadable(destination, undefined, error);
      this.#found.push({ ...listing, modifiedMicros: toMicros(modifiedMs) });
    });
  }

  async #listNamespace(
    destination: Destination,
    entries: readonly ListedEntry[],
  ): Promise<BackupListing[]> {
    const names = entries.map(({ name }) => name);
    if (names.some((name) => parseManifestName(name) !== undefined || isXenonFile(name))) {
      const reader = openDirectoryReader(this.#platform, destination, this.#options.trust);
      const location = { uri: destination.uri, container: "DIRECTORY" as const };
      return listBackups(reader, location, this.#signal).catch((error: unknown) => [
        unreadable(destination, undefined, error),
      ]);
    }
    // A bucket with versioning may keep a lease that was released.
    const left = names.filter(
      (name) =>
        isSegmentName(name) || (name.startsWith(temporaryPrefix) && name !== directoryLease),
    ).length;
    if (left === 0) return [];
    const modifiedMs = Math.max(...entries.map((entry) => entry.modifiedMs ?? 0));
    const problem = `${left} files of a backup and no manifest: it is being made, or was cut off; the next backup there removes what is left`;
    return [listingOf(destination, undefined, "INCOMPLETE", problem, modifiedMs)];
  }

  async #listArchive(destination: Destination, entry: ListedEntry): Promise<BackupListing[]> {
    const { name } = entry;
    try {
      const reader = await openReader(this.#platform, { destination, object: name }, this.#options);
      try {
        const location = { uri: destination.uriOf(name), container: "ZIP" as const };
        return await listBackups(reader, location, this.#signal);
      } finally {
        await reader.close();
      }
    } catch (error) {
      const listing = unreadable(destination, entry, error);
      if (listing.state !== "FOREIGN") return [listing];
      if (entry.sizeBytes === 0) {
        const problem = "it is empty: it is being written, or was cut off";
        return [{ ...listing, state: "INCOMPLETE", problem }];
      }
      // A truncated archive lacks its end.
      const isCutOff =
        /its end is missing/.test(listing.problem ?? "") &&
        (await this.#beginsAsZip(destination, name));
      return [isCutOff ? { ...listing, state: "DAMAGED" } : listing];
    }
  }

  async #beginsAsZip(destination: Destination, name: string): Promise<boolean> {
    for await (const bytes of destination.get(name, { signal: this.#signal, end: 2 }))
      return Buffer.from(bytes).toString("latin1", 0, 2) === "PK";
    return false;
  }
}

const toMicros = (milliseconds = 0) => Math.floor(milliseconds * 1000);

async function identityOf(destination: Destination): Promise<string> {
  return (await destination.identity?.()) ?? destination.uri;
}

const joined = (parent: string, name: string) =>
  parent === "/" ? `/${name}` : `${parent}/${name}`;

const isBelow = (identity: string, root: string) =>
  identity === root || identity.startsWith(joined(root, ""));

function listingOf(
  destination: Destination,
  entry: ListedEntry | undefined,
  state: BackupState,
  problem: string,
  modifiedMs = entry?.modifiedMs,
): BackupListing {
  const uri = entry === undefined ? destination.uri : destination.uriOf(entry.name);
  const name = entry?.name ?? decodeURIComponent(uri.slice(uri.lastIndexOf("/") + 1));
  return { name, uri, state, problem, modifiedMicros: toMicros(modifiedMs) };
}

/** Converts an error to an entry of the listing, which continues. */
function unreadable(
  destination: Destination,
  entry: ListedEntry | undefined,
  error: unknown,
): BackupListing {
  const what = destination.displayName(entry?.name);
  const thrown = HostError.from(fromFileError(error, `Reading ${what}`));
  const ends = ["OPERATION_CANCELLED", "REQUEST_INVALID", "INTERNAL"];
  if (ends.includes(thrown.reason)) throw thrown;
  return listingOf(destination, entry, stateOf(thrown), thrown.message);
}

function stateOf({ code, reason }: HostError): BackupState {
  if (reason === "IDENTITY_MISSING") return "ENCRYPTED";
  // Unreadable does not mean damaged.
  return code === "DATA_LOSS" ? "DAMAGED" : "FOREIGN";
}
