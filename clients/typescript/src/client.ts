import { ChannelCredentials, type ChannelOptions } from "@grpc/grpc-js";
import {
  createChannel,
  createClientFactory,
  Metadata,
  type CallOptions,
  type ClientMiddleware,
} from "nice-grpc";
import { errorMiddleware } from "./error.js";
import { ByteStreamDefinition } from "./gen/google/bytestream/bytestream.js";
import { OperationsDefinition } from "./gen/google/longrunning/operations.js";
import { HealthDefinition } from "./gen/grpc/health/v1/health.js";
import { DocumentServiceDefinition } from "./gen/holdfast/document/v1/document.js";
import {
  ManagementServiceDefinition,
  type BackupRequest,
  type BackupResult,
  type DeepPartial,
  type RestoreRequest,
  type RestoreResult,
} from "./gen/holdfast/management/v1/management.js";
import { downloadBackup, type DownloadOptions, type DownloadedBackup } from "./download.js";
import {
  exportDocuments,
  importDocuments,
  type ExportOptions,
  type ImportOptions,
  type ImportResult,
} from "./documents.js";
import type { Services } from "./services.js";
import { waitForOperation, type FinishedOperation, type WaitOptions } from "./operation.js";
import { uploadRestore, type UploadOptions, type UploadedRestore } from "./upload.js";

/** Where a host is, and who asks it. */
export interface HoldfastClientOptions {
  /** host:port of its gRPC port, for example localhost:8001. */
  address: string;
  /** Default: plain text. For TLS, `ChannelCredentials.createSsl(...)` of @grpc/grpc-js. */
  credentials?: ChannelCredentials;
  /** Sent with each call as `Authorization: Bearer`. */
  token?: string;
  /** Of grpc-js. Messages of up to 20 MiB are taken unless it says otherwise, as many as a host sends. */
  channelOptions?: ChannelOptions;
}

const messageBytes = 20 * 1024 * 1024;

/**
 * A Holdfast host, over gRPC. The generated clients are there with all of their calls (promises, and async iterables for
 * streams); beside them, the work that takes more than one call. Errors are HoldfastError. Close it at the end.
 */
export class HoldfastClient implements Services {
  readonly management: Services["management"];
  readonly documents: Services["documents"];
  readonly operations: Services["operations"];
  readonly byteStream: Services["byteStream"];
  readonly health: Services["health"];
  readonly #close: () => void;

  constructor({
    address,
    credentials = ChannelCredentials.createInsecure(),
    token,
    channelOptions,
  }: HoldfastClientOptions) {
    const channel = createChannel(address, credentials, {
      "grpc.max_receive_message_length": messageBytes,
      "grpc.max_send_message_length": messageBytes,
      ...channelOptions,
    });
    const factory = createClientFactory().use(errorMiddleware);
    const authorized = token === undefined ? factory : factory.use(bearerMiddleware(token));
    this.management = authorized.create(ManagementServiceDefinition, channel);
    this.documents = authorized.create(DocumentServiceDefinition, channel);
    this.operations = authorized.create(OperationsDefinition, channel);
    this.byteStream = authorized.create(ByteStreamDefinition, channel);
    this.health = authorized.create(HealthDefinition, channel);
    this.#close = () => channel.close();
  }

  /** Starts a backup and waits for its end. */
  async backup(
    request: DeepPartial<BackupRequest>,
    options: WaitOptions = {},
  ): Promise<BackupResult> {
    const operation = await this.management.backup(request, signalOf(options));
    return (await this.waitForOperation(operation.name, options)).backup();
  }

  /** Starts a restore and waits for its end: then the restored index serves. */
  async restore(
    request: DeepPartial<RestoreRequest>,
    options: WaitOptions = {},
  ): Promise<RestoreResult> {
    const operation = await this.management.restore(request, signalOf(options));
    return (await this.waitForOperation(operation.name, options)).restore();
  }

  /** Follows an operation to its end. Rejects with its error where it failed; when the signal aborts the work goes on. */
  waitForOperation(name: string, options: WaitOptions = {}): Promise<FinishedOperation> {
    return waitForOperation(this, name, options);
  }

  /** Takes a backup as a file. A cut is gone on with; what arrives is compared with the host's digest before it takes its name. */
  downloadBackup(to: string, options: DownloadOptions = {}): Promise<DownloadedBackup> {
    return downloadBackup(this, to, options);
  }

  /** Restores from a file that downloadBackup or a ZIP backup made. A cut is gone on with; resolves when the restored index serves. */
  uploadRestore(from: string, options: UploadOptions = {}): Promise<UploadedRestore> {
    return uploadRestore(this, from, options);
  }

  /** Writes documents (JSON texts or objects with their documentSelfLink), in order. */
  importDocuments(
    factoryLink: string,
    documents: Iterable<string | object> | AsyncIterable<string | object>,
    options: ImportOptions = {},
  ): Promise<ImportResult> {
    return importDocuments(this, factoryLink, documents, options);
  }

  /** All documents of a factory as they are at one moment, as JSON texts with their system fields apart. */
  exportDocuments(
    factoryLink: string,
    options: ExportOptions = {},
  ): ReturnType<typeof exportDocuments> {
    return exportDocuments(this, factoryLink, options);
  }

  close(): void {
    this.#close();
  }
}

function signalOf({ signal }: WaitOptions): CallOptions {
  return signal ? { signal } : {};
}

function bearerMiddleware(token: string): ClientMiddleware {
  return async function* (call, options) {
    const metadata = Metadata(options.metadata).set("authorization", `Bearer ${token}`);
    return yield* call.next(call.request, { ...options, metadata });
  };
}
