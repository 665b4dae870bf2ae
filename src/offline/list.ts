import { join } from "node:path";
import { checkDigests } from "../backup/digests.js";
import type { BackupListing } from "../backup/listing.js";
import { resolveSource } from "../container/resolve.js";
import { systemPlatform } from "../io/platform.js";
import { listSource } from "../service/backups/sources.js";
import { openVerifications, withLastCheck } from "../service/backups/verifications.js";
import { localFiles } from "./local-files.js";

/** An item of a listing of backups. */
export type Listed = BackupListing;

interface ListFilesOptions {
  /** Whether to list subdirectories. */
  recursive: boolean;
  /** If given, compares each file with its digest and receives the numbers of bytes read and to read. */
  onDigestBytes?: (done: number, total: number) => void;
  /** Directory with the results of earlier verifications. */
  stateDirectory: string;
}

/** Returns the result of ListBackups of offline/services.ts for a file: URI. Loads fewer modules. */
export async function listFiles(
  uri: string,
  { recursive, onDigestBytes, stateDirectory }: ListFilesOptions,
  signal: AbortSignal,
): Promise<Listed[]> {
  const containers = localFiles();
  const path = join(stateDirectory, "verifications.json");
  const verifications = await openVerifications(systemPlatform, path, () => {});
  const source = await resolveSource(containers, uri);
  const found = await listSource(containers, source, recursive, signal);
  const listed = found.map((one) => withLastCheck(verifications, one));
  if (!onDigestBytes) return listed;
  const open = async (each: string) => (await resolveSource(containers, each)).open({}, signal);
  return checkDigests(listed, open, signal, onDigestBytes);
}
