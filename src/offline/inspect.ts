import { findManifest, listBackups, locationOf } from "../backup/inspect.js";
import type { BackupDescription } from "../segment/description.js";
import type { BackupListing } from "../backup/listing.js";
import { resolveSource } from "../container/resolve.js";
import { describeManifest } from "../segment/description.js";
import { withSource } from "../service/backups/sources.js";
import { localFiles } from "./local-files.js";

/** A backup, and the listing of its destination. */
export interface Inspected {
  backup: BackupDescription;
  listed: BackupListing[];
}

/**
 * Returns the results of DescribeBackup and ListBackups of offline/services.ts for a file: URI. It
 * loads fewer modules, so `holdfast inspect` starts faster.
 */
export async function inspectFile(
  uri: string,
  name: string | undefined,
  signal: AbortSignal,
): Promise<Inspected> {
  const source = await resolveSource(localFiles(), uri);
  return withSource(source, signal, undefined, async (reader) => {
    const file = await findManifest(reader, { name }, signal);
    const backup = describeManifest(locationOf(source, reader), file);
    return { backup, listed: await listBackups(reader, source, signal) };
  });
}
