import { createHash, type Hash } from "node:crypto";
import { createEncryption, type Encryption } from "../encryption/encryption.js";
import { parseRecipients } from "../encryption/recipients.js";
import { HostError } from "../errors.js";
import { collectingGarbage } from "../io/collecting-garbage.js";
import { nodeFileSystem as files } from "../io/node-file-system.js";
import { readChunks, writeStream } from "../io/read-file.js";
import { compress, decompress } from "./compression.js";
import type { Encoded, EncodingCall, EncryptTo } from "./encoding-call.js";

/** A file to encode. */
export type EncodeCall = Extract<EncodingCall, { kind: "encode" }>;
/** Receives the number of bytes since the last call. */
export type Report = (bytes: number) => void;

/** Compresses, then encrypts a file to a new one, syncs it, and verifies it by decoding it. Throws BACKUP_DAMAGED. */
export async function encodeFile(
  call: EncodeCall,
  signal: AbortSignal,
  report: Report = () => {},
): Promise<Encoded> {
  const { source, target, name, compression, encryptTo } = call;
  const encryption = encryptTo && (await openEncryption(name, encryptTo));
  try {
    const plain = createHash("sha256");
    const stored = createHash("sha256");
    const compressed = compress(compression, hashing(readPlain(source, signal, report), plain));
    const encoded = encryption ? encryption.encrypt(compressed) : compressed;
    const maxBytes = Number.MAX_SAFE_INTEGER;
    const sizeBytes = await writeStream(files, target, hashing(encoded, stored), maxBytes, signal);
    await sync(target);
    const sha256 = stored.digest("hex");
    await verify(call, encryption, signal, { sizeBytes, sha256, plainSha256: plain.digest("hex") });
    return { sizeBytes, sha256 };
  } finally {
    encryption?.close();
  }
}

async function openEncryption(name: string, to: EncryptTo): Promise<Encryption> {
  if ("passphrase" in to) return createEncryption(name, to);
  return createEncryption(name, await parseRecipients(to.recipients.join("\n")));
}

/** Decodes what was written with the key that is still known, because no identity may be. */
async function verify(
  { target, name, compression }: EncodeCall,
  encryption: Encryption | undefined,
  signal: AbortSignal,
  written: { sizeBytes: number; sha256: string; plainSha256: string },
): Promise<void> {
  const [stored, plain] = [createHash("sha256"), createHash("sha256")];
  const chunks = hashing(
    readPlain(target, signal, () => {}),
    stored,
  );
  const decrypted = encryption ? encryption.reader.decrypt(chunks) : chunks;
  const maxBytes = Number.MAX_SAFE_INTEGER;
  for await (const chunk of decompress(compression, decrypted, { maxBytes, name }))
    plain.update(chunk);
  if (stored.digest("hex") === written.sha256 && plain.digest("hex") === written.plainSha256)
    return;
  throw new HostError(
    "BACKUP_DAMAGED",
    `Verification of ${name} failed: reading it back yields other data than was written. Check memory and disk of this machine.`,
  );
}

/** Reads a file in chunks, and reports what is done with. */
export function readPlain(
  path: string,
  signal: AbortSignal,
  report: Report,
): AsyncIterable<Buffer> {
  return reporting(collectingGarbage(readChunks(files, path, signal)), report);
}

/** Passes chunks on and reports their sizes. */
export async function* reporting<T extends Uint8Array>(
  chunks: AsyncIterable<T>,
  report: Report,
): AsyncGenerator<T> {
  for await (const chunk of chunks) {
    yield chunk;
    report(chunk.length);
  }
}

/** Passes chunks on and hashes them. */
export async function* hashing<T extends Uint8Array>(
  chunks: AsyncIterable<T>,
  hash: Hash,
): AsyncGenerator<T> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

async function sync(path: string): Promise<void> {
  const file = await files.openToWrite(path);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
