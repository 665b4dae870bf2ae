import { createHash } from "node:crypto";
import { Identities } from "../encryption/identities.js";
import { decrypt } from "../encryption/reader.js";
import { HostError } from "../errors.js";
import { serveChild } from "../io/child-process.js";
import { nodeFileSystem as files } from "../io/node-file-system.js";
import { writeStream } from "../io/read-file.js";
import { decompress } from "./compression.js";
import { encodeFile, hashing, readPlain, reporting, type Report } from "./encode-file.js";
import type { DecryptWith, Encoded, EncodedFile, EncodingCall } from "./encoding-call.js";

type DecodeCall = Extract<EncodingCall, { kind: "decode" }>;

/** Cancelling an operation kills this process. */
const never = new AbortController().signal;

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
      readPlain(source, never, () => {}),
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

serveChild<EncodingCall, Encoded[], number>("The stored file", async (call, report) =>
  call.kind === "encode" ? [await encodeFile(call, never, report)] : decode(call, report),
);
