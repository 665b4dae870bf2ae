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
import { PolicyServiceDefinition } from "./gen/holdfast/management/v1/policy.js";
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

/** Address of a host, and credentials for it. */
export interface HoldfastClientOptions {
  /** gRPC address as host:port, for example localhost:8001. */
  address: string;
  /** Default: plain text. For TLS, `ChannelCredentials.createSsl(...)` of @grpc/grpc-js. */
  credentials?: ChannelCredentials;
  /** Token, sent with each call as `Authorization: Bearer`. Default: none. */
  token?: string;
  /** Options of grpc-js. Default: messages of up to 20 MiB, the limit of a host. */
  channelOptions?: ChannelOptions;
}

const messageBytes = 20 * 1024 * 1024;

/**
 * A gRPC client of a Holdfast host. The properties are the generated clients, with promises and async iterables; the
 * methods combine several calls. Errors are HoldfastError. Close the client after use.
 */
export class HoldfastClient implements Services {
  readonly management: Services["management"];
  readonly policies: Services["policies"];
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
    this.policies = authorized.create(PolicyServiceDefinition, channel);
    this.documents = authorized.create(DocumentServiceDefinition, channel);
    this.operations = authorized.create(OperationsDefinition, channel);
    this.byteStream = authorized.create(ByteStreamDefinition, channel);
    this.health = authorized.create(HealthDefinition, channel);
    this.#close = () => channel.close();
  }

  /** Starts a backup and waits until it completes. */
  async backup(
    request: DeepPartial<BackupRequest>,
    options: WaitOptions = {},
  ): Promise<BackupResult> {
    const operation = await this.management.backup(request, signalOf(options));
    return (await this.waitForOperation(operation.name, options)).backup();
  }

  /** Starts a restore and waits until the restored index is live. */
  async restore(
    request: DeepPartial<RestoreRequest>,
    options: WaitOptions = {},
  ): Promise<RestoreResult> {
    const operation = await this.management.restore(request, signalOf(options));
    return (await this.waitForOperation(operation.name, options)).restore();
  }

  /** Waits until an operation is done. Rejects with its error if it failed. If the signal aborts, the operation continues. */
  waitForOperation(name: string, options: WaitOptions = {}): Promise<FinishedOperation> {
    return waitForOperation(this, name, options);
  }

  /** Makes a backup and downloads it to a file. Resumes interrupted streams. The file gets its name when its digest matches. */
  downloadBackup(to: string, options: DownloadOptions = {}): Promise<DownloadedBackup> {
    return downloadBackup(this, to, options);
  }

  /** Restores from a file made by downloadBackup or a ZIP backup. Resumes interrupted streams. Resolves when the restored index is live. */
  uploadRestore(from: string, options: UploadOptions = {}): Promise<UploadedRestore> {
    return uploadRestore(this, from, options);
  }

  /** Writes documents of a factory in order: JSON texts or objects with their documentSelfLink. Not resumed automatically. */
  importDocuments(
    factoryLink: string,
    documents: Iterable<string | object> | AsyncIterable<string | object>,
    options: ImportOptions = {},
  ): Promise<ImportResult> {
    return importDocuments(this, factoryLink, documents, options);
  }

  /** Yields all documents of a factory as of one point in time, with JSON bodies. Resumes interrupted streams. */
  exportDocuments(
    factoryLink: string,
    options: ExportOptions = {},
  ): ReturnType<typeof exportDocuments> {
    return exportDocuments(this, factoryLink, options);
  }

  /** Closes the connection. Calls in flight fail. */
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
