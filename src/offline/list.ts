import { join } from "node:path";
import { checkDigests } from "../backup/digests.js";
import type { BackupListing } from "../backup/listing.js";
import { resolveSource } from "../container/resolve.js";
import { systemPlatform } from "../io/platform.js";
import { listSource } from "../service/backups/sources.js";
import { openVerifications, withLastCheck } from "../service/backups/verifications.js";
import { localFiles } from "./local-files.js";

/** A backup, or what was found where one was looked for. */
export type Listed = BackupListing;

interface ListFilesOptions {
  /** Whether directories below are listed too. */
  recursive: boolean;
  /** Given: compares each file with its digest. Receives how many bytes of how many were read. */
  onDigestBytes?: (done: number, total: number) => void;
  /** Where results of earlier checks are kept. */
  stateDirectory: string;
}

/** Answers what ListBackups of offline/services.ts answers for a file: URI, loading much less. */
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
