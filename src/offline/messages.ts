import { create } from "@bufbuild/protobuf";
import {
  BackupDescriptionSchema,
  ListedBackupSchema,
  type BackupDescription as BackupMessage,
  type ListedBackup,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import type { BackupDescription } from "../segment/description.js";
import type { BackupListing } from "../backup/listing.js";
import { toBackup, toListedBackup } from "../api/convert/backup.js";

// Apart from what reads the files: loading what messages are made of takes as long as a look at a backup, and people see none of them.

/** The message that DescribeBackup answers. */
export const backupMessage = (backup: BackupDescription): BackupMessage =>
  create(BackupDescriptionSchema, toBackup(backup));

/** The message that ListBackups answers for each. */
export const listedMessage = (listing: BackupListing): ListedBackup =>
  create(ListedBackupSchema, toListedBackup(listing));
