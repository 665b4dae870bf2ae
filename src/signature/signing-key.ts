import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from "node:crypto";
import { HostError } from "../errors.js";
import { writeFileDurably } from "../io/durable-file.js";
import type { FileSystem } from "../io/file-system.js";
import type { Platform } from "../io/platform.js";
import { findAccessibleToOthers } from "../io/private-file.js";
import { readNamedFile } from "../io/read-file.js";
import { limits } from "../limits.js";
import { encodePublicKey, fingerprintOf, keyType, publicKeyType } from "./public-key.js";
import { defaultHash, encodeSignature, signedData } from "./signature-format.js";
import { decodeArmor, encodeArmor, WireReader, wireString, wireUint32 } from "./wire.js";

const label = "OPENSSH PRIVATE KEY";
const magic = Buffer.from("openssh-key-v1\0");
const noCipher = "none";
const seedBytes = 32;
/** The private part is padded to this size if it is not encrypted. */
const blockBytes = 8;
/** What precedes the seed of an Ed25519 key in PKCS #8. */
const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * An Ed25519 key that signs, stored in the private key format of OpenSSH without a passphrase.
 * Printing or serializing it does not show the private half.
 */
export class SigningKey {
  /** The public half as a line for authorized_keys or, after a name, for trusted signers. */
  readonly publicLine: string;
  /** As `ssh-keygen -l` shows it: SHA256:... */
  readonly fingerprint: string;
  readonly #privateKey: KeyObject;
  readonly #publicKey: Buffer;

  private constructor(privateKey: KeyObject, publicKey: Buffer, comment: string) {
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
    this.publicLine = `${keyType} ${publicKey.toString("base64")} ${comment}`.trimEnd();
    this.fingerprint = fingerprintOf(publicKey);
  }

  /**
   * Generates a key and stores it durably with the mode 0600. Throws SIGNING_KEY_INVALID if the file
   * exists or the comment is unsuitable.
   *
   * @param comment Describes the key in its public line, for example the name of the host.
   */
  static async create(
    platform: Pick<Platform, "files" | "randomHex">,
    path: string,
    comment: string,
  ): Promise<SigningKey> {
    if (!isComment(comment))
      throw new HostError(
        "SIGNING_KEY_INVALID",
        `The comment of a signing key must have at most ${limits.signingKeyCommentChars} characters and no control characters.`,
      );
    if ((await platform.files.status(path)) !== undefined)
      throw new HostError(
        "SIGNING_KEY_INVALID",
        `The signing key ${path} exists already, and is not replaced. Move it away first.`,
      );
    const { privateKey } = generateKeyPairSync("ed25519");
    const pkcs8 = privateKey.export({ format: "der", type: "pkcs8" });
    const seed = pkcs8.subarray(pkcs8Prefix.length);
    const publicBytes = publicBytesOf(privateKey);
    const file = encodeKeyFile(seed, publicBytes, comment);
    try {
      await writeFileDurably(platform, path, file);
    } finally {
      pkcs8.fill(0);
      file.fill(0);
    }
    return new SigningKey(privateKey, encodePublicKey(publicBytes), comment);
  }

  /**
   * Loads a key. Throws SIGNING_KEY_INVALID if the file cannot be read, is accessible to other users,
   * damaged, protected by a passphrase, or not an Ed25519 key in the format of OpenSSH.
   */
  static async load(
    files: Pick<FileSystem, "openToRead" | "status">,
    path: string,
  ): Promise<SigningKey> {
    const invalid = (why: string) =>
      new HostError("SIGNING_KEY_INVALID", `Cannot use the signing key ${path}: ${why}`);
    const [accessible] = await findAccessibleToOthers(files, [path]);
    if (accessible !== undefined)
      throw invalid(
        `other users can access it (mode ${accessible.mode}). Restrict it with chmod 600; replace the key if others could read it.`,
      );
    const file = await readNamedFile(files, path, {
      reason: "SIGNING_KEY_INVALID",
      what: "signing key",
      maxBytes: limits.signingKeyBytes,
    });
    const bytes = decodeArmor(label, file.toString("latin1"));
    file.fill(0);
    if (bytes === undefined)
      throw invalid(
        "it is not a private key in the format of OpenSSH, or is damaged. Restore it from a copy, or convert it with ssh-keygen -p -f.",
      );
    try {
      const { seed, publicBytes, comment } = decodeKeyFile(bytes, invalid);
      const privateKey = privateKeyOf(seed);
      if (!publicBytesOf(privateKey).equals(publicBytes))
        throw invalid("its two halves do not belong together. Restore it from a copy.");
      return new SigningKey(privateKey, encodePublicKey(publicBytes), comment);
    } finally {
      bytes.fill(0);
    }
  }

  /** Signs bytes for a purpose. Returns a signature file of OpenSSH. */
  sign(message: Uint8Array, namespace: string): string {
    const signature = sign(null, signedData(message, namespace, defaultHash), this.#privateKey);
    return encodeSignature({
      publicKey: this.#publicKey,
      namespace,
      hash: defaultHash,
      signature: Buffer.concat([wireString(keyType), wireString(signature)]),
    });
  }
}

const isComment = (text: string) =>
  text.length <= limits.signingKeyCommentChars && !/\p{Cc}/u.test(text);

function privateKeyOf(seed: Buffer): KeyObject {
  const pkcs8 = Buffer.concat([pkcs8Prefix, seed]);
  try {
    return createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
  } finally {
    pkcs8.fill(0);
  }
}

function publicBytesOf(privateKey: KeyObject): Buffer {
  return Buffer.from(createPublicKey(privateKey).export({ format: "jwk" }).x ?? "", "base64url");
}

function encodeKeyFile(seed: Buffer, publicBytes: Buffer, comment: string): Buffer {
  // Twice the same number shows a reader that it has decrypted the private part correctly.
  const check = randomBytes(4);
  const secret = Buffer.concat([
    check,
    check,
    wireString(keyType),
    wireString(publicBytes),
    wireString(Buffer.concat([seed, publicBytes])),
    wireString(comment),
  ]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7]).subarray(
    0,
    (blockBytes - (secret.length % blockBytes)) % blockBytes,
  );
  const bytes = Buffer.concat([
    magic,
    wireString(noCipher),
    wireString(noCipher),
    wireString(""),
    wireUint32(1),
    wireString(encodePublicKey(publicBytes)),
    wireString(Buffer.concat([secret, padding])),
  ]);
  const file = Buffer.from(encodeArmor(label, bytes));
  for (const part of [secret, bytes]) part.fill(0);
  return file;
}

function decodeKeyFile(
  bytes: Buffer,
  invalid: (why: string) => HostError,
): { seed: Buffer; publicBytes: Buffer; comment: string } {
  const damaged = () => invalid("it is damaged. Restore it from a copy.");
  const reader = new WireReader(bytes, damaged);
  if (!reader.take(magic.length).equals(magic)) throw damaged();
  const cipher = reader.text();
  const kdf = reader.text();
  if (cipher !== noCipher || kdf !== noCipher)
    throw invalid(
      "it is protected by a passphrase. Use another key, or remove the passphrase with ssh-keygen -p -f.",
    );
  reader.string();
  if (reader.uint32() !== 1) throw invalid("it has several keys. Use a file with one.");
  const publicKey = reader.string();
  const type = publicKeyType(publicKey, damaged);
  if (type !== keyType)
    throw invalid(`it is not a key of the type ${keyType}. Use ssh-keygen -t ed25519.`);
  const secret = new WireReader(reader.string(), damaged);
  const [first, second] = [secret.uint32(), secret.uint32()];
  const secretType = secret.text();
  const publicBytes = secret.string();
  const seed = secret.string().subarray(0, seedBytes);
  const comment = secret.string().toString("utf8");
  if (
    first !== second ||
    secretType !== keyType ||
    seed.length !== seedBytes ||
    !encodePublicKey(publicBytes).equals(publicKey)
  )
    throw damaged();
  // What the comment says does not matter to the key, but it must fit into a line.
  return { seed, publicBytes, comment: isComment(comment) ? comment : "" };
}
