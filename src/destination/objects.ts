import { createHash } from "node:crypto";
import { HostError } from "../errors.js";
import type { Platform } from "../io/platform.js";
import { writeStream } from "../io/read-file.js";
import { limits } from "../limits.js";
import type { Capabilities, Destination, FetchOptions } from "./destination.js";

/**
 * Throws NOT_SUPPORTED with the name of the capability unless the destination has it. `what`
 * completes `Cannot ...`.
 */
export function requireCapability(
  destination: Destination,
  capability: Exclude<keyof Capabilities, "lock">,
  what: string,
): void {
  if (destination.capabilities[capability]) return;
  throw new HostError(
    "NOT_SUPPORTED",
    `Cannot ${what} at ${destination.displayName()}: this type of destination does not support "${capability}". Use another destination.`,
    { metadata: { capability } },
  );
}

/**
 * Reads a small object. Throws BACKUP_NOT_FOUND, and BACKUP_DAMAGED if it is larger than
 * `maxBytes`.
 */
export async function readObject(
  destination: Destination,
  name: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  const chunkBytes = limits.smallObjectChunkBytes;
  for await (const chunk of destination.get(name, { signal, chunkBytes })) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) {
      throw new HostError(
        "BACKUP_DAMAGED",
        `${destination.displayName(name)} exceeds the limit of ${maxBytes} bytes.`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Copies an object to a new local file. Removes the file after a failure. */
export async function fetchObject(
  { files }: Pick<Platform, "files">,
  destination: Destination,
  name: string,
  path: string,
  options: FetchOptions & { maxBytes: number },
): Promise<void> {
  const { signal, maxBytes, onBytes } = options;
  if (destination.fetch) {
    await destination.fetch(name, path, options).catch(async (error: unknown) => {
      await files.remove(path).catch(() => {});
      throw error;
    });
    return;
  }
  const total = onBytes ? ((await destination.stat(name, signal))?.sizeBytes ?? 0) : 0;
  let done = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of destination.get(name, { signal })) {
      yield chunk;
      onBytes?.((done += chunk.length), total);
    }
  }
  await writeStream(files, path, counted(), maxBytes, signal, true);
}

/** Expected size and digest of an object. */
export interface StoredObject {
  sizeBytes: number;
  /** In lower-case hexadecimal. */
  sha256: string;
}

/**
 * Reads an object back and compares its size and digest. `onBytes` receives the number of bytes read
 * so far. Throws BACKUP_DAMAGED if the object differs.
 */
export async function readBack(
  destination: Destination,
  name: string,
  stored: StoredObject,
  signal: AbortSignal,
  onBytes: (done: number) => void = () => {},
): Promise<void> {
  const damaged = (problem: string) =>
    new HostError(
      "BACKUP_DAMAGED",
      `Verification of ${destination.displayName(name)} failed: ${problem}. It is not a valid backup. Check the storage, and whether other programs write to it.`,
    );
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of destination.get(name, { signal })) {
    sizeBytes += chunk.length;
    if (sizeBytes > stored.sizeBytes)
      throw damaged(`it is longer than the ${stored.sizeBytes} bytes written`);
    hash.update(chunk);
    onBytes(sizeBytes);
  }
  if (sizeBytes !== stored.sizeBytes)
    throw damaged(`its size is ${sizeBytes} bytes, and ${stored.sizeBytes} bytes were written`);
  if (hash.digest("hex") !== stored.sha256) throw damaged("its SHA-256 is different");
}
