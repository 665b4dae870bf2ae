import { join } from "node:path";
import { checkDigests } from "../backup/digests.js";
import { listBackups } from "../backup/inspect.js";
import { listTree } from "../backup/list-tree.js";
import type { BackupListing } from "../backup/model.js";
import { openContainer } from "../container/open.js";
import { filePathOf } from "../destination/file/uri.js";
import { systemPlatform } from "../io/platform.js";
import { readFileBackup } from "./inspect.js";
import { openVerifications, withLastCheck } from "../service/backups/verifications.js";

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
export async function listFiles(
  uri: string,
  { recursive, onDigestBytes, stateDirectory }: ListFilesOptions,
  signal: AbortSignal,
): Promise<Listed[]> {
  const path = filePathOf(uri);
  const verifications = await openVerifications(
    systemPlatform,
    join(stateDirectory, "verifications.json"),
    () => {},
  );
  const below = recursive ? await listTree(systemPlatform, path, signal) : undefined;
  const found =
    below ?? (await readFileBackup(path, (reader, place) => listBackups(reader, place, signal)));
  const listed = found.map((one) => withLastCheck(verifications, one));
  return onDigestBytes
    ? checkDigests(
        listed,
        (each) => openContainer(systemPlatform, filePathOf(each)),
        signal,
        onDigestBytes,
      )
    : listed;
}
