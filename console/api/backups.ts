import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import type {
  CheckDestinationResponseJson,
  DecryptionJson,
  ListBackupsResponseJson,
  ListedBackupJson,
  PinBackupRequestJson,
  PruneBackupsRequestJson,
  PruneBackupsResponseJson,
  TransferJson,
  VerifyBackupRequestJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { get, post, remove, request } from "./request.js";

/** Calls of /v1 on backups at a destination. */

/** Where backups are listed. */
export interface BackupSource {
  uri: string;
  /** Whether to list subdirectories and archives, too. */
  recursive: boolean;
}

export const listBackups = (
  { uri, recursive }: BackupSource,
  page: { size: number; token: string },
  signal?: AbortSignal,
) =>
  get<ListBackupsResponseJson>(
    "/v1/backups",
    {
      uri,
      page_size: page.size,
      page_token: page.token,
      recursive: recursive ? "true" : undefined,
    },
    signal,
  );

export const verifyBackup = (wanted: VerifyBackupRequestJson) =>
  post<OperationJson>("/v1/backups:verify", wanted);

export const pinBackup = (wanted: PinBackupRequestJson) => post<object>("/v1/backups:pin", wanted);

export const unpinBackup = (wanted: PinBackupRequestJson) =>
  post<object>("/v1/backups:unpin", wanted);

export const pruneBackups = (wanted: PruneBackupsRequestJson) =>
  post<PruneBackupsResponseJson>("/v1/backups:prune", wanted);

export const checkDestination = (uri: string) =>
  post<CheckDestinationResponseJson>("/v1/destinations:check", { uri });

export const getTransfer = (name: string) => get<TransferJson>(`/v1/${name}`);

export const deleteTransfer = (name: string) => remove<object>(`/v1/${name}`);

/** Path of the archive of a transfer. */
export const downloadPath = (name: string) => `/v1/${name}:download`;

export const downloadTransfer = (name: string, signal: AbortSignal) =>
  request(downloadPath(name), { signal });

/** What identifies a backup in a listing. */
export const backupKey = ({ uri, name }: ListedBackupJson) => `${uri} ${name}`;

/** The keys for an encrypted backup, from what a person typed. */
export function decryptionOf(secret: string): DecryptionJson {
  const given = secret.trim();
  return given.startsWith("AGE-SECRET-KEY") ? { identities: given } : { passphrase: given };
}
