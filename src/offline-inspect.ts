import { pathToFileURL } from "node:url";
import type { BackupDescription as BackupMessage } from "../gen/ts/holdfast/management/v1/management_pb.js";
import { describeManifest, findManifest, listBackups } from "./backup/inspect.js";
import type { BackupDescription, BackupListing } from "./backup/model.js";
import { openContainer } from "./container/open.js";
import { filePathOf } from "./destination/file-uri.js";
import { fromFileError } from "./io/file-error.js";
import { systemSeams } from "./io/seams.js";

/** A backup, and all that lie beside it. */
export interface Inspected {
  backup: BackupDescription;
  listed: BackupListing[];
}

/**
 * What DescribeBackup and ListBackups of offline.ts tell of a file: URI, without what the other methods load: a look at
 * a backup is over sooner than that.
 */
export async function inspectFile(uri: string, name: string | undefined, signal: AbortSignal): Promise<Inspected> {
  const path = filePathOf(uri);
  const reader = await openContainer(systemSeams, path).catch((error: unknown) => {
    throw fromFileError(error, `Reading the backup ${path}`);
  });
  try {
    const place = { uri: pathToFileURL(path).href, container: reader.kind };
    const backup = describeManifest(place, await findManifest(reader, name, signal));
    return { backup, listed: await listBackups(reader, place, signal) };
  } finally {
    await reader.close();
  }
}

/** The message that DescribeBackup answers. What messages of management are made of is loaded here: that takes as long as the look itself. */
export async function backupMessage(backup: BackupDescription): Promise<BackupMessage> {
  const [{ create }, { BackupDescriptionSchema }, { toBackup }] = await Promise.all([
    import("@bufbuild/protobuf"),
    import("../gen/ts/holdfast/management/v1/management_pb.js"),
    import("./service/grpc/convert-backup.js"),
  ]);
  return create(BackupDescriptionSchema, toBackup(backup));
}
