import { join } from "node:path";
import type { ListedBackup } from "../gen/ts/holdfast/management/v1/management_pb.js";
import { checkDigests } from "./backup/digests.js";
import { listBackups } from "./backup/inspect.js";
import { listTree } from "./backup/list-tree.js";
import type { BackupListing } from "./backup/model.js";
import { openContainer } from "./container/open.js";
import { filePathOf } from "./destination/file-uri.js";
import { fromFileError } from "./io/file-error.js";
import { systemSeams } from "./io/seams.js";
import { readFileBackup } from "./offline-inspect.js";
import { openVerifications } from "./service/verifications.js";

/** A backup, or what lies where one should. */
export type Listed = BackupListing;

interface ListFilesOptions {
  /** Looks in the directories below too. */
  recursive: boolean;
  /** Where it is given, each file is compared with its digest; hears how much of how much has been read. */
  onDigestBytes?: (done: number, total: number) => void;
  /** Where outcomes of checks are remembered. */
  stateDirectory: string;
}

/** What ListBackups of offline.ts answers of a file: URI, without what the other methods load: digests aside, a list is over sooner than that. */
export async function listFiles(uri: string, options: ListFilesOptions, signal: AbortSignal): Promise<Listed[]> {
  const path = filePathOf(uri);
  const verifications = await openVerifications(systemSeams, join(options.stateDirectory, "verifications.json"), () => {});
  const listed = (await listPath(path, options.recursive, signal)).map((listing) => {
    const lastVerification = listing.backup && verifications.find(listing.backup.manifestSha256);
    return lastVerification ? { ...listing, lastVerification } : listing;
  });
  if (!options.onDigestBytes) return listed;
  return checkDigests(listed, (each) => openContainer(systemSeams, filePathOf(each)), signal, options.onDigestBytes);
}

async function listPath(path: string, recursive: boolean, signal: AbortSignal): Promise<BackupListing[]> {
  // An archive has nothing below it.
  if (!recursive || (await systemSeams.files.status(path))?.kind === "file") return readFileBackup(path, (reader, place) => listBackups(reader, place, signal));
  return listTree(systemSeams, path, signal).catch((error: unknown) => {
    throw fromFileError(error, `Listing ${path}`);
  });
}

/** The messages that ListBackups answers; what they are made of is loaded here. */
export async function listedMessages(listings: readonly Listed[]): Promise<ListedBackup[]> {
  const [{ create }, { ListedBackupSchema }, { toListedBackup }] = await Promise.all([
    import("@bufbuild/protobuf"),
    import("../gen/ts/holdfast/management/v1/management_pb.js"),
    import("./service/grpc/convert-backup.js"),
  ]);
  return listings.map((listing) => create(ListedBackupSchema, toListedBackup(listing)));
}
