import type { Readable } from "node:stream";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { Retention } from "../destination.js";
import type { S3Call, S3Connection } from "./client.js";
import {
  isClockSkew,
  isConditionFailed,
  isNoSuchKey,
  isTransient,
  s3CodeOf,
  statusOf,
} from "./failure.js";

/** Condition of a write: no object of this name exists, or the object has this ETag. */
export type S3Condition = { absent: true } | { etag: string };

/** An object in a bucket. */
export interface S3Object {
  sizeBytes: number;
  modifiedMs: number;
  etag: string;
  /** SHA-256 as the store reports it: of the object, or of its parts with `-COUNT`. */
  checksum?: string | undefined;
  /** The store refuses to remove the object before this time. */
  lockedUntilMs?: number | undefined;
  lockMode?: string | undefined;
}

/** A multipart upload that is neither complete nor aborted. */
export interface S3OpenUpload {
  key: string;
  uploadId: string;
  startedMs: number;
}

/** An entry of a listing. */
export interface S3Entry {
  /** Key without the prefix; ends with a slash for a common prefix. */
  name: string;
  object?: { sizeBytes: number; modifiedMs: number };
}

/** Options of a write. */
export interface S3WriteOptions {
  signal: AbortSignal;
  condition?: S3Condition | undefined;
  retention?: Retention | undefined;
}

/** Body of a write, which is opened again for each attempt. */
export interface S3Body {
  sizeBytes: number;
  /** In hexadecimal. The store compares it with what it received, if it supports that. */
  sha256?: string | undefined;
  open(call: S3Call): Uint8Array | Readable;
}

/** What a store reports about a write. */
export interface S3Written {
  etag: string;
  checksum?: string | undefined;
}

/** The requests to one bucket that a destination needs. */
export class S3Bucket {
  readonly name: string;
  readonly #connection: S3Connection;
  readonly #uriOf: (key: string) => string;

  constructor(connection: S3Connection, name: string, uriOf: (key: string) => string) {
    this.name = name;
    this.#connection = connection;
    this.#uriOf = uriOf;
  }

  /** Runs work as S3Connection.request does, with the names of this bucket in its errors. */
  request<T>(
    action: string,
    key: string,
    signal: AbortSignal,
    work: (call: S3Call) => Promise<T>,
    idleTimeoutMs?: number,
  ): Promise<T> {
    return this.#connection.request(
      {
        action,
        uri: this.#uriOf(key),
        bucket: this.name,
        signal,
        ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
      },
      work,
    );
  }

  /** Stores an object in one request. Throws DESTINATION_OCCUPIED if the condition is not met. */
  put(key: string, body: S3Body, options: S3WriteOptions): Promise<S3Written> {
    return this.request("write", key, options.signal, async (call) => {
      try {
        const { ETag = "", ChecksumSHA256 } = await sendBody(call, body, (opened) => {
          const command = new call.sdk.PutObjectCommand({
            Bucket: this.name,
            Key: key,
            Body: opened,
            ContentLength: body.sizeBytes,
            ...checksumOf(body),
            ...conditionOf(options.condition),
            ...retentionOf(options.retention),
          });
          signDigest(command, body);
          return call.send(command);
        });
        return { etag: ETag, checksum: ChecksumSHA256 };
      } catch (error) {
        throw this.conditionError(key, error, options.condition) ?? error;
      }
    });
  }

  /** Returns DESTINATION_OCCUPIED for the error of a write whose condition was not met. */
  conditionError(
    key: string,
    error: unknown,
    condition: S3Condition | undefined,
  ): HostError | undefined {
    // With If-Match, a store responds with 404 if the object does not exist any more.
    if (!isConditionFailed(error) && !(condition && isNoSuchKey(error))) return undefined;
    return new HostError(
      "DESTINATION_OCCUPIED",
      `${this.#uriOf(key)} was changed by another program during the backup and was not replaced. Back up again.`,
      { cause: error },
    );
  }

  /** Returns the metadata of an object, or undefined if it does not exist. */
  head(key: string, signal: AbortSignal): Promise<S3Object | undefined> {
    return this.request("read", key, signal, async (call) => {
      try {
        const found = await call.send(
          new call.sdk.HeadObjectCommand({
            Bucket: this.name,
            Key: key,
            ChecksumMode: "ENABLED",
          }),
        );
        return {
          sizeBytes: found.ContentLength ?? 0,
          modifiedMs: found.LastModified?.getTime() ?? 0,
          etag: found.ETag ?? "",
          checksum: found.ChecksumSHA256,
          lockedUntilMs: found.ObjectLockRetainUntilDate?.getTime(),
          lockMode: found.ObjectLockMode,
        };
      } catch (error) {
        if (isNoSuchKey(error)) return undefined;
        throw (await this.#reasonOf(error, key, call)) ?? error;
      }
    });
  }

  /** Reads a small object, or undefined if it does not exist. Throws BACKUP_DAMAGED if it is too large. */
  async read(
    key: string,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<{ bytes: Buffer; etag: string; modifiedMs: number } | undefined> {
    return this.request("read", key, signal, async (call) => {
      try {
        const found = await call.send(
          new call.sdk.GetObjectCommand({ Bucket: this.name, Key: key }),
        );
        const body = found.Body as Readable;
        const chunks: Buffer[] = [];
        let sizeBytes = 0;
        for await (const chunk of body as AsyncIterable<Buffer>) {
          call.touch();
          sizeBytes += chunk.length;
          if (sizeBytes > maxBytes)
            throw new HostError(
              "BACKUP_DAMAGED",
              `${this.#uriOf(key)} exceeds the limit of ${maxBytes} bytes.`,
            );
          chunks.push(chunk);
        }
        return {
          bytes: Buffer.concat(chunks),
          etag: found.ETag ?? "",
          modifiedMs: found.LastModified?.getTime() ?? 0,
        };
      } catch (error) {
        if (isNoSuchKey(error)) return undefined;
        throw error;
      }
    });
  }

  /** Lists the keys with a prefix up to the next slash, sorted, in pages. Throws BACKUP_FOREIGN for too many. */
  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<S3Entry> {
    let token: string | undefined;
    let count = 0;
    do {
      const page = await this.request("list", prefix, signal, async (call) => {
        const found = await call.send(
          new call.sdk.ListObjectsV2Command({
            Bucket: this.name,
            Prefix: prefix,
            Delimiter: "/",
            EncodingType: "url",
            ...(token !== undefined && { ContinuationToken: token }),
          }),
        );
        // An empty response of a gateway is not an empty listing, by which segments would look unused.
        if (found.Name !== undefined) return found;
        throw new HostError(
          "DESTINATION_UNREACHABLE",
          `Cannot list ${this.#uriOf(prefix)}: the response of the store is incomplete or invalid.`,
        );
      });
      const decode = page.EncodingType === "url" ? decodeKey : (key: string) => key;
      const entries: S3Entry[] = [
        ...(page.Contents ?? []).map(({ Key = "", Size = 0, LastModified }) => ({
          name: decode(Key).slice(prefix.length),
          object: { sizeBytes: Size, modifiedMs: LastModified?.getTime() ?? 0 },
        })),
        ...(page.CommonPrefixes ?? []).map(({ Prefix = "" }) => ({
          name: decode(Prefix).slice(prefix.length),
        })),
      ];
      count += entries.length;
      if (count > limits.s3ListedObjects) {
        throw new HostError(
          "BACKUP_FOREIGN",
          `${this.#uriOf(prefix)} contains more than ${limits.s3ListedObjects} objects. Use a prefix of its own for backups.`,
        );
      }
      // A key that equals the prefix is how some tools mark a folder.
      yield* entries
        .filter(({ name }) => name !== "")
        .sort(({ name: a }, { name: b }) => (a < b ? -1 : 1));
      const next = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      // A store that repeats its token would be listed without end.
      token = next === token ? undefined : next;
    } while (token !== undefined);
  }

  /**
   * Removes an object, and ignores a key that does not exist. With object lock, its versions stay. Throws
   * DESTINATION_OCCUPIED if the condition is not met, where the store enforces it.
   */
  async remove(key: string, signal: AbortSignal, condition?: { etag: string }): Promise<void> {
    await this.request("remove", key, signal, async (call) => {
      try {
        await call.send(
          new call.sdk.DeleteObjectCommand({
            Bucket: this.name,
            Key: key,
            ...(condition && { IfMatch: condition.etag }),
          }),
        );
      } catch (error) {
        if (isNoSuchKey(error)) return;
        throw (condition && this.conditionError(key, error, condition)) ?? error;
      }
    });
  }

  /** Locks an object until a later time. */
  async retain(key: string, { mode, untilMs }: Retention, signal: AbortSignal): Promise<void> {
    await this.request("extend the lock of", key, signal, (call) =>
      call.send(
        new call.sdk.PutObjectRetentionCommand({
          Bucket: this.name,
          Key: key,
          Retention: { Mode: mode, RetainUntilDate: new Date(untilMs) },
        }),
      ),
    );
  }

  /** Whether objects of the bucket can be locked. Undefined if the store does not say. */
  hasObjectLock(signal: AbortSignal): Promise<boolean | undefined> {
    return this.request("read the object lock configuration of", "", signal, async (call) => {
      try {
        const { ObjectLockConfiguration } = await call.send(
          new call.sdk.GetObjectLockConfigurationCommand({ Bucket: this.name }),
        );
        return ObjectLockConfiguration?.ObjectLockEnabled === "Enabled";
      } catch (error) {
        if (s3CodeOf(error) === "NoSuchBucket") throw error;
        if (s3CodeOf(error) === "ObjectLockConfigurationNotFoundError") return false;
        const status = statusOf(error) ?? 0;
        if (isTransient(error) || isClockSkew(error)) throw error;
        if (status >= 400 && status < 500) return status === 403 ? undefined : false;
        if (status === 501) return false;
        throw error;
      }
    });
  }

  /**
   * Returns the error of a GET for a failed HEAD, whose response has no body and so no code: a wrong
   * secret looks like a missing permission.
   */
  async #reasonOf(error: unknown, key: string, call: S3Call): Promise<unknown> {
    const status = statusOf(error);
    if ((status !== 400 && status !== 403) || isClockSkew(error)) return undefined;
    try {
      const { Body } = await call.send(
        new call.sdk.GetObjectCommand({ Bucket: this.name, Key: key, Range: "bytes=0-0" }),
      );
      (Body as Readable | undefined)?.destroy();
      return undefined;
    } catch (explained) {
      return statusOf(explained) === status ? explained : undefined;
    }
  }

  /** Lists the multipart uploads of keys with a prefix: a first page, which a store keeps short. */
  async uploads(prefix: string, signal: AbortSignal): Promise<S3OpenUpload[]> {
    const found = await this.request("list the uploads of", prefix, signal, async (call) => {
      try {
        return await call.send(
          new call.sdk.ListMultipartUploadsCommand({ Bucket: this.name, Prefix: prefix }),
        );
      } catch (error) {
        // Not every store lists uploads, and the user may lack the permission. They only take space.
        const status = statusOf(error) ?? 500;
        if (!isTransient(error) && (status < 500 || status === 501)) return undefined;
        throw error;
      }
    });
    return (found?.Uploads ?? [])
      .filter(({ Key = "" }) => Key.startsWith(prefix))
      .map(({ Key = "", UploadId = "", Initiated }) => ({
        key: Key,
        uploadId: UploadId,
        startedMs: Initiated?.getTime() ?? 0,
      }));
  }

  /** Aborts a multipart upload, and ignores one that does not exist. */
  async abortUpload(key: string, uploadId: string, signal: AbortSignal): Promise<void> {
    await this.request("abort the upload of", key, signal, async (call) => {
      try {
        await call.send(
          new call.sdk.AbortMultipartUploadCommand({
            Bucket: this.name,
            Key: key,
            UploadId: uploadId,
          }),
        );
      } catch (error) {
        if (!isNoSuchKey(error)) throw error;
      }
    });
  }
}

/** Opens a body for one attempt, and closes it after the attempt: a failed one may not read it to its end. */
export async function sendBody<T>(
  call: S3Call,
  body: S3Body,
  send: (opened: Uint8Array | Readable) => Promise<T>,
): Promise<T> {
  const opened = body.open(call);
  try {
    return await send(opened);
  } finally {
    if (!(opened instanceof Uint8Array)) opened.destroy();
  }
}

/** Returns the parameter for the digest of a body. */
export function checksumOf({ sha256 }: Pick<S3Body, "sha256">): { ChecksumSHA256?: string } {
  return sha256 === undefined
    ? {}
    : { ChecksumSHA256: Buffer.from(sha256, "hex").toString("base64") };
}

/** Returns the parameters of a condition. */
export function conditionOf(condition: S3Condition | undefined): {
  IfNoneMatch?: string;
  IfMatch?: string;
} {
  if (condition === undefined) return {};
  return "absent" in condition ? { IfNoneMatch: "*" } : { IfMatch: condition.etag };
}

/** Returns the parameters of a retention. */
export function retentionOf(retention: Retention | undefined): {
  ObjectLockMode?: Retention["mode"];
  ObjectLockRetainUntilDate?: Date;
} {
  return retention === undefined
    ? {}
    : {
        ObjectLockMode: retention.mode,
        ObjectLockRetainUntilDate: new Date(retention.untilMs),
      };
}

/** A command whose request can be changed before it is signed. */
interface SignedCommand {
  middlewareStack: {
    add(
      middleware: (
        next: (args: { request: unknown }) => Promise<unknown>,
      ) => (args: { request: unknown }) => Promise<unknown>,
      options: { step: "build"; name: string },
    ): void;
  };
}

/** Includes the digest of the body in the signature, which some stores require. */
export function signDigest(command: object, { sha256 }: Pick<S3Body, "sha256">): void {
  if (sha256 === undefined) return;
  (command as SignedCommand).middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      headers["x-amz-content-sha256"] = sha256;
      return next(args);
    },
    { step: "build", name: "signDigest" },
  );
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch {
    return key;
  }
}
