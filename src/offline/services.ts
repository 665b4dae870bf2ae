import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Transport } from "@connectrpc/connect";
import { Operations as OperationsDescriptor } from "../../gen/ts/google/longrunning/operations_pb.js";
import { ManagementService as ManagementServiceDescriptor } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { Operations } from "../operation/operations.js";
import { openSqlite } from "../engine/registry.js";
import { HostError } from "../errors.js";
import { temporaryPrefix } from "../io/durable-file.js";
import { errnoOf } from "../io/file-system.js";
import { systemPlatform } from "../io/platform.js";
import { limits } from "../limits.js";
import { openEmptyIndex } from "./empty-index.js";
import { productVersion } from "../host/product-version.js";
import { clientTls, type ClientTlsOptions } from "../destination/network/tls.js";
import { inspectionMethods } from "../api/services/inspection.js";
import { operationsImpl } from "../api/services/operations.js";
import { startMethods } from "../api/services/start.js";
import { watchOperation } from "../api/services/watch-operation.js";
import { trustSigners } from "../backup/trust.js";
import { parseTrustedSigners } from "../signature/trusted-signers.js";
import { IndexStates } from "../service/backups/index-states.js";
import { createManagementService } from "../service/backups/management.js";
import { FileScheme } from "../destination/file/scheme.js";
import { DestinationRegistry } from "../destination/registry.js";
import { readS3Options, type S3Settings } from "../destination/s3/options.js";
import { openRemoteSchemes } from "../destination/remote-schemes.js";
import { openVerifications } from "../service/backups/verifications.js";
import { bindService } from "../api/call/bound-service.js";
import { inProcessTransport } from "../transport/in-process.js";
import { statusOf } from "../api/status.js";

export interface OfflineOptions {
  /** Missing or empty data directory to restore to. */
  dataDirectory?: string;
  /** Content of an allowed_signers file of OpenSSH. Default: signatures are not required. */
  trustedSigners?: string | undefined;
  /** Certificates for connections to destinations. Default: the authorities of Node. */
  tls?: ClientTlsOptions;
  /** Settings of s3: destinations. Default: those of the environment of AWS. */
  s3?: S3Settings;
  /** Directory for results of verifications, created if missing. */
  stateDirectory: string;
  /** Called if state cannot be stored, and for internal errors. */
  onError?: (error: unknown) => void;
}

/** Services for backups without a host. */
export interface Offline {
  readonly transport: Transport;
  /** Ends running operations. */
  close(): Promise<void>;
}

/**
 * Serves the methods of ManagementService that need no host, in this process and on local files: describe, list, verify,
 * compare and export backups, and restore one to an empty data directory.
 */
export async function openOffline({
  dataDirectory,
  trustedSigners,
  tls = {},
  s3: s3Settings = {},
  stateDirectory,
  onError = () => {},
}: OfflineOptions): Promise<Offline> {
  const platform = systemPlatform;
  // Before anything is created that an error would leave behind.
  const trust =
    trustedSigners === undefined ? undefined : trustSigners(parseTrustedSigners(trustedSigners));
  const certificates = clientTls(tls);
  const s3 = readS3Options(s3Settings);
  const index =
    dataDirectory === undefined
      ? undefined
      : await openEmptyIndex(platform, resolve(dataDirectory));
  // On the disk of the new index, so that files can be renamed; otherwise in TMPDIR.
  const temporaryDirectory = index?.temporaryDirectory ?? (await makeTemporaryDirectory());
  const operations = await Operations.open({
    platform,
    journal: { load: async () => [], write: async () => {}, remove: async () => {} },
    onSettled: (view) => index?.settled(view),
    onJournalError: onError,
  });
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 }).catch(onError);
  // This user has access to these files anyway: no roots, and all addresses except those of metadata services.
  const file = new FileScheme({
    platform,
    roots: { paths: undefined, what: "backup root" },
    dataDirectory: index?.dataDirectory ?? temporaryDirectory,
  });
  const remote = openRemoteSchemes({
    platform,
    policy: { allowPrivate: true, allowed: [] },
    tls: certificates,
    ...(s3 && { s3 }),
    temporaryDirectory,
  });
  const reading = {
    platform,
    storageEngine: openSqlite({ platform, directoryOf: noHost }),
    temporaryDirectory,
    trust,
    ownIndexIds: () => [],
    indexOf: (link: string) => index?.of(link) ?? noHost(),
    registry: new DestinationRegistry({ ...remote.schemes, file }),
  };
  const states = new IndexStates(reading);
  const management = createManagementService({
    ...reading,
    operations,
    streamed: { find: noHost },
    opened: { open: noHost, closeIndex: noHost },
    states,
    written: {
      find: () => undefined,
      last: () => undefined,
      add: async () => undefined,
      drop: () => {},
    },
    verifications: await openVerifications(
      platform,
      join(stateDirectory, "verifications.json"),
      onError,
    ),
    hostId: "",
    productVersion,
    describeHost: noHost,
    pauseAutoBackup: async () => () => {},
    keepsEarlier: () => false,
  });
  const conversion = { statusOf, nowMicros: platform.nowMicros };
  const services = [
    bindService(ManagementServiceDescriptor, {
      ...inspectionMethods(management, conversion),
      restore: startMethods(management, conversion, () => false).restore,
      watchOperation: ({ name }, { signal }) =>
        watchOperation(operations, name, conversion, signal),
    }),
    bindService(OperationsDescriptor, operationsImpl(operations, conversion)),
  ];
  return {
    transport: inProcessTransport(services, onError),
    async close() {
      await operations.close(limits.shutdownMs);
      await states.close();
      await remote.close();
      await index?.close();
      await rm(temporaryDirectory, { recursive: true, force: true });
    },
  };
}

function noHost(): never {
  throw new HostError(
    "CONFIGURATION_INVALID",
    "This takes the index of a running host: name one with --address HOST:PORT.",
  );
}

async function makeTemporaryDirectory(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), temporaryPrefix));
  } catch (cause) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `Cannot create a temporary directory in ${tmpdir()} (${errnoOf(cause) ?? "unknown error"}). Set TMPDIR to a directory that exists and that this user may write to.`,
      { cause },
    );
  }
}
