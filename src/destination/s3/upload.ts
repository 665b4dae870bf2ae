import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../../errors.js";
import { eachConcurrently } from "../../io/each-concurrently.js";
import type { Platform } from "../../io/platform.js";
import { readRange } from "../../io/read-file.js";
import { limits } from "../../limits.js";
import { rangesOf, type ByteRange } from "../network/ranges.js";
import {
  checksumOf,
  conditionOf,
  retentionOf,
  sendBody,
  signDigest,
  type S3Body,
  type S3Bucket,
  type S3WriteOptions,
  type S3Written,
} from "./bucket.js";
import type { S3Call } from "./client.js";

/** A file to upload. */
export interface S3Upload {
  key: string;
  path: string;
  sizeBytes: number;
  /** In lower-case hexadecimal. */
  sha256: string;
}

/** Options of uploadFile. */
export interface S3UploadOptions extends S3WriteOptions {
  /** Receives the number of bytes stored since the last call. */
  onBytes(count: number): void;
}

/** A stored file, and the digest that the store should report for it, in base64. */
export interface S3Uploaded extends S3Written {
  expectedChecksum: string;
}

/**
 * Uploads a file: in one request up to limits.s3MultipartBytes, otherwise in parts, each of which is
 * retried by itself. After a failure, the upload is aborted. Throws DESTINATION_OCCUPIED if the
 * condition is not met.
 */
export async function uploadFile(
  platform: Platform,
  bucket: S3Bucket,
  upload: S3Upload,
  options: S3UploadOptions,
): Promise<S3Uploaded> {
  const { key, sizeBytes, sha256 } = upload;
  if (sizeBytes > limits.s3MultipartBytes) return uploadParts(platform, bucket, upload, options);
  const whole = { first: 0, last: sizeBytes - 1 };
  const written = await bucket.put(key, bodyOf(platform, upload, whole, sha256), options);
  options.onBytes(sizeBytes);
  return { ...written, expectedChecksum: checksumOf({ sha256 }).ChecksumSHA256 ?? "" };
}

function bodyOf(
  { files }: Platform,
  { path }: S3Upload,
  { first, last }: ByteRange,
  sha256: string,
): S3Body {
  const mark = { sent: 0 };
  return {
    sizeBytes: last + 1 - first,
    sha256,
    open(call) {
      const part = { offset: first, end: last + 1, chunkBytes: limits.httpBufferBytes };
      const stream = Readable.from(
        touching(call, readRange(files, path, part, call.signal), mark),
        {
          objectMode: false,
          highWaterMark: limits.httpBufferBytes,
        },
      );
      // The client reports the error of the request, which is the consequence or the cause.
      stream.on("error", () => {});
      return stream;
    },
  };
}

/**
 * Reports traffic. Bytes are progress only where an attempt gets further than those before it: a store that
 * takes a whole part and then fails, every time, makes none.
 */
async function* touching(
  call: S3Call,
  chunks: AsyncIterable<Buffer>,
  mark: { sent: number },
): AsyncGenerator<Buffer> {
  let sent = 0;
  for await (const chunk of chunks) {
    call.touch();
    yield chunk;
    sent += chunk.length;
    if (sent < mark.sent + limits.httpProgressBytes) continue;
    mark.sent = sent;
    // The bytes before this chunk were taken by the connection.
    call.attempt.progress();
  }
}

async function uploadParts(
  platform: Platform,
  bucket: S3Bucket,
  upload: S3Upload,
  options: S3UploadOptions,
): Promise<S3Uploaded> {
  const { key, sizeBytes } = upload;
  const { signal } = options;
  const uploadId = await createUpload(bucket, key, options);
  try {
    const parts: Part[] = [];
    const ranges = rangesOf(0, sizeBytes, partBytes(sizeBytes));
    await eachConcurrently(ranges, limits.s3Parts, signal, async (range, either) => {
      const number = range.first / partBytes(sizeBytes) + 1;
      parts[number - 1] = await uploadPart(platform, bucket, upload, {
        uploadId,
        number,
        range,
        signal: either,
      });
      options.onBytes(range.last + 1 - range.first);
    });
    const written = await complete(bucket, key, { uploadId, parts, options });
    return { ...written, expectedChecksum: compositeOf(parts) };
  } catch (error) {
    // What remains after a kill or a longer failure is aborted by the next backup.
    await abandon(bucket, key, uploadId).catch(() => {});
    throw error;
  }
}

/**
 * Aborts an upload until the store no longer lists it: a part that the store was still receiving can
 * outlive the first request (documentation of AbortMultipartUpload).
 */
async function abandon(bucket: S3Bucket, key: string, uploadId: string): Promise<void> {
  const signal = AbortSignal.timeout(limits.s3ReleaseMs);
  for (let left = limits.s3AbortAttempts; left > 0; left -= 1) {
    await bucket.abortUpload(key, uploadId, signal);
    await sleep(limits.s3AbortPauseMs, undefined, { signal });
    const open = await bucket.uploads(key, signal);
    if (!open.some((one) => one.uploadId === uploadId)) return;
  }
}

/** Returns the size of the parts: S3 allows 10,000 of them, all but the last of at least 5 MiB. */
function partBytes(sizeBytes: number): number {
  const step = 1024 * 1024;
  const needed = Math.ceil(sizeBytes / limits.s3PartsPerObject / step) * step;
  return Math.max(limits.s3PartBytes, needed);
}

interface Part {
  etag: string;
  /** In base64. */
  checksum: string;
}

/** SHA-256 of the digests of all parts, as S3 reports it for an object that was uploaded in parts. */
function compositeOf(parts: readonly Part[]): string {
  const hash = createHash("sha256");
  for (const { checksum } of parts) hash.update(Buffer.from(checksum, "base64"));
  return `${hash.digest("base64")}-${parts.length}`;
}

async function createUpload(
  bucket: S3Bucket,
  key: string,
  { signal, retention }: S3UploadOptions,
): Promise<string> {
  return bucket.request("write", key, signal, async ({ sdk, send }) => {
    const { UploadId } = await send(
      new sdk.CreateMultipartUploadCommand({
        Bucket: bucket.name,
        Key: key,
        ChecksumAlgorithm: "SHA256",
        ...retentionOf(retention),
      }),
    );
    if (UploadId !== undefined) return UploadId;
    throw new HostError("DESTINATION_REFUSED", `The store did not name the upload of ${key}.`);
  });
}

interface PartUpload {
  uploadId: string;
  number: number;
  range: ByteRange;
  signal: AbortSignal;
}

async function uploadPart(
  platform: Platform,
  bucket: S3Bucket,
  upload: S3Upload,
  { uploadId, number, range, signal }: PartUpload,
): Promise<Part> {
  const sha256 = await digestOf(platform, upload.path, range, signal);
  const body = bodyOf(platform, upload, range, sha256);
  return bucket.request("write", upload.key, signal, async (call) => {
    const { ETag = "" } = await sendBody(call, body, (opened) => {
      const command = new call.sdk.UploadPartCommand({
        Bucket: bucket.name,
        Key: upload.key,
        UploadId: uploadId,
        PartNumber: number,
        Body: opened,
        ContentLength: body.sizeBytes,
        ...checksumOf(body),
      });
      signDigest(command, body);
      return call.send(command);
    });
    call.attempt.progress();
    return { etag: ETag, checksum: checksumOf(body).ChecksumSHA256 ?? "" };
  });
}

/** The signature contains the digest, so that it is needed before the first byte is sent. */
async function digestOf(
  { files }: Platform,
  path: string,
  { first, last }: ByteRange,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash("sha256");
  const part = { offset: first, end: last + 1, chunkBytes: limits.httpBufferBytes };
  for await (const chunk of readRange(files, path, part, signal)) hash.update(chunk);
  return hash.digest("hex");
}

async function complete(
  bucket: S3Bucket,
  key: string,
  {
    uploadId,
    parts,
    options,
  }: { uploadId: string; parts: readonly Part[]; options: S3UploadOptions },
): Promise<S3Written> {
  const work = async ({ sdk, send }: S3Call): Promise<S3Written> => {
    try {
      const { ETag = "", ChecksumSHA256 } = await send(
        new sdk.CompleteMultipartUploadCommand({
          Bucket: bucket.name,
          Key: key,
          UploadId: uploadId,
          MultipartUpload: {
            Parts: parts.map(({ etag, checksum }, i) => ({
              PartNumber: i + 1,
              ETag: etag,
              ChecksumSHA256: checksum,
            })),
          },
          ...conditionOf(options.condition),
        }),
      );
      return { etag: ETag, checksum: ChecksumSHA256 };
    } catch (error) {
      // An upload that no longer exists was completed by an attempt whose response was lost.
      const written = await bucket.head(key, options.signal).catch(() => undefined);
      if (written?.checksum === compositeOf(parts)) return written;
      throw bucket.conditionError(key, error, options.condition) ?? error;
    }
  };
  // A store may assemble a large object only now.
  return bucket.request("write", key, options.signal, work, limits.s3CompleteMs);
}
