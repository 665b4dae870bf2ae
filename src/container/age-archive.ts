import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Destination } from "../destination/destination.js";
import { runEncoding, type DecryptWith } from "../encoding/encoding-call.js";
import { HostError } from "../errors.js";
import { temporaryPrefix } from "../io/durable-file.js";
import type { Platform } from "../io/platform.js";

const firstLine = "age-encryption.org/v1\n";
/** The header is longer, and its first stanza differs in each file. */
const headBytes = 192;

/** Whether a file begins as a file of age does. */
export function isAgeFile(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, firstLine.length)).toString("latin1") === firstLine;
}

/** Whether an object begins as a file of age does. */
export async function isAgeObject(
  destination: Destination,
  object: string,
  signal: AbortSignal,
): Promise<boolean> {
  const chunks: Uint8Array[] = [];
  const end = firstLine.length;
  for await (const chunk of destination.get(object, { signal, end })) chunks.push(chunk);
  return isAgeFile(Buffer.concat(chunks));
}

/** Returns the digest by which the encrypted archive of an index is recognized. */
export function digestOf(indexId: string, head: Uint8Array): string {
  return createHash("sha256").update(`${indexId}\n`).update(head).digest("hex");
}

/** Reads the first bytes of an object. */
export async function readHead(
  destination: Destination,
  object: string,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const end = Math.min(headBytes, sizeBytes);
  for await (const chunk of destination.get(object, { signal, end })) chunks.push(chunk);
  return Buffer.concat(chunks).subarray(0, headBytes);
}

/** Reads the first bytes of a local file. */
export async function readLocalHead(
  { files }: Pick<Platform, "files">,
  path: string,
): Promise<Buffer> {
  const file = await files.openToRead(path);
  try {
    const head = Buffer.alloc(headBytes);
    return head.subarray(0, await file.read(head, 0));
  } finally {
    await file.close();
  }
}

/**
 * Decrypts an archive to a new file in a directory, and returns its path. Throws IDENTITY_MISSING, and BACKUP_DAMAGED.
 */
export async function decryptArchive(
  { files, randomHex }: Pick<Platform, "files" | "randomHex">,
  { path, name, decryptWith }: { path: string; name: string; decryptWith: DecryptWith | undefined },
  directory: string,
  signal: AbortSignal,
): Promise<string> {
  const target = join(directory, `${temporaryPrefix}decrypted-${randomHex(8)}.zip`);
  const sizeBytes = (await files.status(path))?.sizeBytes ?? 0;
  const free = await files.freeBytes(directory);
  if (free < sizeBytes) {
    throw new HostError(
      "STORAGE_FULL",
      `Decrypting ${name} needs ${sizeBytes} bytes, and ${free} are free. Nothing was changed. Free space, then retry.`,
    );
  }
  const file = {
    source: path,
    target,
    name,
    compression: "none" as const,
    encrypted: true,
    keepSource: true,
    maxBytes: sizeBytes,
  };
  try {
    await runEncoding({ kind: "decode", files: [file], decryptWith }, signal);
  } catch (error) {
    // A cancelled process leaves what it has decrypted.
    await files.remove(target).catch(() => {});
    throw error;
  }
  return target;
}
