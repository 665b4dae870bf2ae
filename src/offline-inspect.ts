import { pathToFileURL } from "node:url";
import { create } from "@bufbuild/protobuf";
import { BackupDescriptionSchema, ListedBackupSchema, type BackupDescription, type ListedBackup } from "../gen/ts/holdfast/management/v1/management_pb.js";
import { describeManifest, findManifest, listBackups } from "./backup/inspect.js";
import { openContainer } from "./container/open.js";
import { filePathOf } from "./destination/file-uri.js";
import { fromFileError } from "./io/file-error.js";
import { systemSeams } from "./io/seams.js";
import { toBackup, toListedBackup } from "./service/grpc/convert-backup.js";

/** A backup, and all that lie beside it. */
export interface Inspected {
  backup: BackupDescription;
  listed: ListedBackup[];
}

/**
 * What DescribeBackup and ListBackups of offline.ts answer for a file: URI, without what the other methods load: a look at
 * a backup is over sooner than that.
 */
export async function inspectFile(uri: string, name: string | undefined, signal: AbortSignal): Promise<Inspected> {
  const path = filePathOf(uri);
  const reader = await openContainer(systemSeams, path).catch((error: unknown) => {
    throw fromFileError(error, `Reading the backup ${path}`);
  });
  try {
    const place = { uri: pathToFileURL(path).href, container: reader.kind };
    const backup = create(BackupDescriptionSchema, toBackup(describeManifest(place, await findManifest(reader, name, signal))));
    const listed = (await listBackups(reader, place, signal)).map((one) => create(ListedBackupSchema, toListedBackup(one)));
    return { backup, listed };
  } finally {
    await reader.close();
  }
}
