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

// Separate from the code that reads files: loading the message schemas takes as long as reading a backup, and text output needs none.

/** Converts a backup to the response of DescribeBackup. */
export const backupMessage = (backup: BackupDescription): BackupMessage =>
  create(BackupDescriptionSchema, toBackup(backup));

/** Converts an item of a listing to its message in ListBackups. */
export const listedMessage = (listing: BackupListing): ListedBackup =>
  create(ListedBackupSchema, toListedBackup(listing));
