import { HostError } from "../errors.js";
import type { FileSystem } from "../io/file-system.js";
import { readNamedFile } from "../io/read-file.js";
import { limits } from "../limits.js";
import { loadAge } from "./age-library.js";
import { Identities } from "./identities.js";
import { decrypt } from "./reader.js";

/** Asks the user for the passphrase of an identity file. */
export type AskPassphrase = () => Promise<string>;

const armorStart = "-----BEGIN AGE ENCRYPTED FILE-----";
const binaryStart = "age-encryption.org/";

/**
 * Parses an identity file: text, or text that is encrypted with a passphrase as age does, armored or
 * binary. Calls `askPassphrase` only for an encrypted file. Throws IDENTITY_INVALID, also for a wrong
 * passphrase; the message has no part of the file.
 *
 * @param where Where the file is from, for errors.
 */
export async function parseIdentities(
  file: Uint8Array,
  askPassphrase: AskPassphrase,
  where = "the identities",
): Promise<Identities> {
  return Identities.parse(await identityText(file, askPassphrase, where), where);
}

/** Returns the text of an identity file, decrypted if necessary. */
async function identityText(
  file: Uint8Array,
  askPassphrase: AskPassphrase,
  where: string,
): Promise<string> {
  if (file.length > limits.secretFileBytes)
    throw invalid(where, `the file exceeds ${limits.secretFileBytes} bytes.`);
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length);
  const encrypted = await findEncrypted(bytes, where);
  if (encrypted === undefined) return bytes.toString("utf8");
  const text = await decryptText(encrypted, await askPassphrase(), where);
  try {
    return text.toString("utf8");
  } finally {
    text.fill(0);
  }
}

/**
 * Reads an identity file as parseIdentities does, and returns its decrypted text, which is secret. Throws
 * IDENTITY_INVALID, also if the file cannot be read.
 */
export async function readIdentityText(
  files: Pick<FileSystem, "openToRead">,
  path: string,
  askPassphrase: AskPassphrase,
): Promise<string> {
  requirePath(path);
  const bytes = await readNamedFile(files, path, {
    reason: "IDENTITY_INVALID",
    what: "identity file",
    maxBytes: limits.secretFileBytes,
  });
  try {
    const where = `the identity file ${path}`;
    const text = await identityText(bytes, askPassphrase, where);
    await Identities.parse(text, where);
    return text;
  } finally {
    bytes.fill(0);
  }
}

/** A key in place of the name of its file is not repeated in a message. */
function requirePath(path: string): void {
  const isKey = /^\s*AGE-SECRET-KEY-/i.test(path);
  if (!isKey && !/^\s*age1[0-9a-z]{20,}\s*$/i.test(path)) return;
  throw new HostError(
    "IDENTITY_INVALID",
    isKey
      ? "An identity itself was given in place of the name of its file. Other users may have seen it in the list of processes: write it to a file that only its owner can read, and consider a new one."
      : "A recipient was given in place of an identity file. Only the identity decrypts: name the file that holdfast keygen or age-keygen wrote.",
  );
}

/** Returns the age file if an identity file is one, without its armor; undefined for other text. */
async function findEncrypted(bytes: Buffer, where: string): Promise<Uint8Array | undefined> {
  if (bytes.subarray(0, binaryStart.length).equals(Buffer.from(binaryStart))) return bytes;
  const text = bytes.toString("latin1").trimStart();
  if (!text.startsWith(armorStart)) return undefined;
  const { armor } = await loadAge();
  try {
    return armor.decode(text);
  } catch {
    throw invalid(where, "the armor is damaged. Copy the file again.");
  }
}

async function decryptText(file: Uint8Array, passphrase: string, where: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  try {
    for await (const part of decrypt(where, one(file), Identities.ofPassphrase(passphrase)))
      parts.push(part);
    return Buffer.concat(parts);
  } catch (error) {
    // Whatever is wrong with the file, it is not the backup.
    if (!(error instanceof HostError)) throw error;
    throw new HostError("IDENTITY_INVALID", error.message);
  } finally {
    for (const part of parts) part.fill(0);
  }
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const invalid = (where: string, why: string) =>
  new HostError("IDENTITY_INVALID", `In ${where}: ${why}`);
