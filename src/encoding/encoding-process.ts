import { createHash, type Hash } from "node:crypto";
import { createEncryption, type Encryption } from "../encryption/encryption.js";
import { Identities } from "../encryption/identities.js";
import { decrypt } from "../encryption/reader.js";
import { parseRecipients } from "../encryption/recipients.js";
import { HostError } from "../errors.js";
import { serveChild } from "../io/child-process.js";
import { collectingGarbage } from "../io/collecting-garbage.js";
import { nodeFileSystem as files } from "../io/node-file-system.js";
import { readChunks, writeStream } from "../io/read-file.js";
import { compress, decompress } from "./compression.js";
import type {
  DecryptWith,
  Encoded,
  EncodedFile,
  EncodingCall,
  EncryptTo,
} from "./encoding-call.js";

type EncodeCall = Extract<EncodingCall, { kind: "encode" }>;
type DecodeCall = Extract<EncodingCall, { kind: "decode" }>;
type Report = (bytes: number) => void;

/** Cancelling an operation kills this process. */
const never = new AbortController().signal;

async function encode(call: EncodeCall, report: Report): Promise<Encoded> {
  const { source, target, name, compression, encryptTo } = call;
  const encryption = encryptTo && (await openEncryption(name, encryptTo));
  try {
    const plain = createHash("sha256");
    const stored = createHash("sha256");
    const compressed = compress(compression, hashing(readPlain(source, report), plain));
    const encoded = encryption ? encryption.encrypt(compressed) : compressed;
    const maxBytes = Number.MAX_SAFE_INTEGER;
    const sizeBytes = await writeStream(files, target, hashing(encoded, stored), maxBytes, never);
    await sync(target);
    const sha256 = stored.digest("hex");
    await verify(call, encryption, { sizeBytes, sha256, plainSha256: plain.digest("hex") });
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
  written: { sizeBytes: number; sha256: string; plainSha256: string },
): Promise<void> {
  const [stored, plain] = [createHash("sha256"), createHash("sha256")];
  const chunks = hashing(
    readPlain(target, () => {}),
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

async function decode({ files: given, decryptWith }: DecodeCall, report: Report) {
  const identities = await openIdentities(decryptWith);
  const decoded: Encoded[] = [];
  for (const file of given) {
    decoded.push(await decodeFile(file, identities, report));
    if (!file.keepSource) await files.remove(file.source);
  }
  return decoded;
}

async function decodeFile(
  { source, target, name, compression, encrypted, stored, maxBytes }: EncodedFile,
  identities: Identities | undefined,
  report: Report,
): Promise<Encoded> {
  const [storedHash, plainHash] = [createHash("sha256"), createHash("sha256")];
  let storedBytes = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of hashing(
      readPlain(source, () => {}),
      storedHash,
    )) {
      storedBytes += chunk.length;
      yield chunk;
    }
  }
  const compressed = encrypted ? decrypt(name, counted(), identities) : counted();
  const plain = decompress(compression, compressed, { maxBytes, name });
  const sizeBytes = await writeStream(
    files,
    target,
    reporting(hashing(plain, plainHash), report),
    maxBytes,
    never,
    true,
  );
  if (
    stored !== undefined &&
    (storedBytes !== stored.sizeBytes || storedHash.digest("hex") !== stored.sha256)
  ) {
    await files.remove(target);
    throw new HostError(
      "BACKUP_DAMAGED",
      `${name} is damaged: its size or SHA-256 differs from the manifest. Use another backup.`,
      { metadata: { file: name } },
    );
  }
  return { sizeBytes, sha256: plainHash.digest("hex") };
}

async function openIdentities(given: DecryptWith | undefined): Promise<Identities | undefined> {
  const parts: Identities[] = [];
  if (given?.identities) parts.push(await Identities.parse(given.identities));
  if (given?.passphrase) parts.push(Identities.ofPassphrase(given.passphrase));
  return parts.length === 0 ? undefined : Identities.join(parts);
}

function readPlain(path: string, report: Report): AsyncIterable<Buffer> {
  return reporting(collectingGarbage(readChunks(files, path, never)), report);
}

/** Passes chunks on and reports their sizes. */
async function* reporting<T extends Uint8Array>(
  chunks: AsyncIterable<T>,
  report: Report,
): AsyncGenerator<T> {
  for await (const chunk of chunks) {
    yield chunk;
    report(chunk.length);
  }
}

async function* hashing<T extends Uint8Array>(
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

serveChild<EncodingCall, Encoded[], number>("The stored file", async (call, report) =>
  call.kind === "encode" ? [await encode(call, report)] : decode(call, report),
);
