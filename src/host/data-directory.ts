import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { HostError } from "../errors.js";
import { lockDirectory } from "../io/directory-lock.js";
import { temporaryPrefix, writeFileDurably } from "../io/durable-file.js";
import type { Platform } from "../io/platform.js";
import { findAccessibleToOthers } from "../io/private-file.js";
import { readSmallFile } from "../io/read-file.js";
import { directoriesOf } from "./destination-option.js";
import { isHostId, type ResolvedOptions } from "./options.js";

const hostIdBytes = 256;

/** Spells every path in a data directory. */
export class DataDirectory {
  /** Absolute. */
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  /** Held while a host, or a restore without one, uses the directory. */
  readonly lockName = "lock.sqlite";
  readonly indexName = "document-index";
  readonly temporaryName = "temporary";

  get lock(): string {
    return this.#join(this.lockName);
  }
  get hostId(): string {
    return this.#join("host-id");
  }
  /** Tells hosts with the same id apart. */
  get installation(): string {
    return this.#join("installation");
  }
  /** Generations of the durable index. */
  get index(): string {
    return this.#join(this.indexName);
  }
  /** Emptied at each start. */
  get temporary(): string {
    return this.#join(this.temporaryName);
  }
  get audit(): string {
    return this.#join("audit");
  }
  get operations(): string {
    return this.#join("operations");
  }
  get transfers(): string {
    return this.#join("transfers");
  }
  /** Manifests of backups that were streamed. */
  get streamedManifests(): string {
    return this.#join("sent-manifests");
  }
  /** Services of /local-files. */
  get fileServices(): string {
    return this.#join("file-services");
  }
  /** Policies, with the secrets of their webhooks. */
  get policies(): string {
    return this.#join("policies.json");
  }
  get policyProgress(): string {
    return this.#join("policy-progress.json");
  }
  /** Ended runs of policies. */
  get policyRuns(): string {
    return this.#join("policy-runs");
  }
  get verifications(): string {
    return this.#join("verifications.json");
  }
  get writtenManifests(): string {
    return this.#join("written-manifests.json");
  }
  get backupRecords(): string {
    return this.#join("backup-records.json");
  }
  /** Private key that signs manifests, and beside it its public half. */
  get signingKey(): string {
    return this.#join("signing-key");
  }
  get signingKeyPublic(): string {
    return this.#join("signing-key.pub");
  }
  get autoBackupSetting(): string {
    return this.#join("auto-backup.json");
  }
  /** Where automatic backups are stored unless the options say otherwise. */
  get autoBackup(): string {
    return this.#join("auto-backup");
  }

  /** Files and directories that only the host's user should have access to. */
  get secrets(): string[] {
    const { audit } = this;
    return [
      this.path,
      audit,
      join(audit, "audit.log"),
      join(audit, "refused.log"),
      this.signingKey,
      this.policies,
    ];
  }

  #join(name: string): string {
    return join(this.path, name);
  }
}

/** Makes the data directory if it is missing. CONFIGURATION_INVALID if that fails. */
export async function makeDataDirectory(
  { files }: Pick<Platform, "files">,
  { path }: DataDirectory,
): Promise<void> {
  if ((await files.status(path)) !== undefined) return;
  try {
    await files.makeDirectory(path);
  } catch (cause) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `Cannot create the data directory ${path}. Create it, or check its parent and permissions.`,
      { cause },
    );
  }
}

/** Locks the directory and removes what a killed host left in it. Returns what unlocks it. DIRECTORY_IN_USE. */
export async function lockDataDirectory(
  { files }: Pick<Platform, "files">,
  directory: DataDirectory,
): Promise<() => void> {
  const lock = lockDirectory(directory.lock);
  try {
    await files.removeTree(directory.temporary);
    await files.makeDirectory(directory.temporary);
    // Small files whose writing was interrupted.
    for (const name of await files.list(directory.path))
      if (name.startsWith(temporaryPrefix)) await files.remove(join(directory.path, name));
  } catch (error) {
    lock.release();
    throw error;
  }
  return () => lock.release();
}

/** Warns of files and directories with secrets that other users may use. */
export async function warnOfWideAccess(
  { platform, logger, secretFiles, certificateFiles, backupRoots }: ResolvedOptions,
  directory: DataDirectory,
): Promise<void> {
  const certificates = new Set(certificateFiles);
  const paths = [
    ...directory.secrets,
    ...secretFiles.filter((path) => !certificates.has(path)),
    ...directoriesOf(backupRoots),
  ];
  for (const wide of await findAccessibleToOthers(platform.files, paths)) {
    logger.warn(
      wide,
      "other users may use this file or directory; restrict it, for example with chmod go=",
    );
  }
}

/**
 * The host's id: as given, as the directory keeps it, or new. A directory that keeps one has an
 * index, unless that is in a database: INDEX_DAMAGED if it has lost it.
 */
export async function findHostId(
  { platform, id, postgres }: Pick<ResolvedOptions, "platform" | "id" | "postgres">,
  directory: DataDirectory,
): Promise<string> {
  const { files } = platform;
  const hasIndex = (await files.status(directory.index)) !== undefined;
  if (postgres && hasIndex)
    throw new HostError(
      "CONFIGURATION_INVALID",
      `${directory.path} contains an index, and with --engine postgres the index is in the database. Use another data directory, and move the documents by a backup and a restore.`,
    );
  if ((await files.status(directory.hostId)) === undefined) return id ?? platform.randomId();
  if (!postgres && !hasIndex) {
    throw new HostError(
      "INDEX_DAMAGED",
      `${directory.path} has lost its index, ${directory.indexName}. Put it back, or remove ${directory.hostId} too to start with an empty index.`,
    );
  }
  if (id !== undefined) return id;
  const kept = (await readSmallFile(files, directory.hostId, hostIdBytes)).toString("utf8").trim();
  if (isHostId(kept)) return kept;
  throw new HostError(
    "CONFIGURATION_INVALID",
    `${directory.hostId} does not contain a host id. Write this host's id into it, which is the documentOwner of its documents, or pass --id.`,
  );
}

/** Stores the id, once the index exists. */
export async function keepHostId(
  platform: Pick<Platform, "files" | "randomHex">,
  directory: DataDirectory,
  hostId: string,
): Promise<void> {
  if ((await platform.files.status(directory.hostId)) !== undefined) return;
  await writeFileDurably(platform, directory.hostId, Buffer.from(`${hostId}\n`));
}

/** What distinguishes a data directory from that of another host with the same id: random, made at the first start. */
export async function findInstallation(
  platform: Pick<Platform, "files" | "randomHex">,
  { path, installation }: DataDirectory,
): Promise<string> {
  if ((await platform.files.status(installation)) === undefined)
    await writeFileDurably(platform, installation, Buffer.from(`${platform.randomHex(16)}\n`));
  const kept = await readSmallFile(platform.files, installation, hostIdBytes);
  // A copy of the directory is another one.
  return `${kept.toString("utf8").trim()} ${hostname()} ${path}`;
}
