import { createHash } from "node:crypto";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { decodeArmor, encodeArmor, WireReader, wireString, wireUint32 } from "./wire.js";

/** Namespace of the signatures of manifests, so that a signature for another purpose is refused. */
export const manifestNamespace = "holdfast-manifest";

/** The contents of a signature file of OpenSSH (PROTOCOL.sshsig). */
export interface SignatureContents {
  /** Encoded public key. */
  publicKey: Buffer;
  namespace: string;
  /** Algorithm that digests the signed bytes. */
  hash: string;
  /** Encoded signature: its type and its bytes. */
  signature: Buffer;
}

const label = "SSH SIGNATURE";
const magic = Buffer.from("SSHSIG");
const version = 1;
const hashes: readonly string[] = ["sha256", "sha512"];
/** Algorithm of new signatures, as ssh-keygen uses. */
export const defaultHash = "sha512";

/** Returns the bytes that a key signs in place of a message. */
export function signedData(message: Uint8Array, namespace: string, hash: string): Buffer {
  const digest = createHash(hash).update(message).digest();
  return Buffer.concat([
    magic,
    wireString(namespace),
    wireString(""),
    wireString(hash),
    wireString(digest),
  ]);
}

/** Encodes a signature file. */
export function encodeSignature({
  publicKey,
  namespace,
  hash,
  signature,
}: SignatureContents): string {
  const bytes = Buffer.concat([
    magic,
    wireUint32(version),
    wireString(publicKey),
    wireString(namespace),
    wireString(""),
    wireString(hash),
    wireString(signature),
  ]);
  return encodeArmor(label, bytes);
}

/**
 * Decodes a signature file. Throws SIGNATURE_INVALID if it is malformed, too large, or of an unknown
 * version.
 *
 * @param name Name of the signed file in errors.
 */
export function decodeSignature(text: string, name: string): SignatureContents {
  const invalid = (why: string) =>
    new HostError("SIGNATURE_INVALID", `The signature of ${name} is invalid: ${why}.`);
  if (text.length > limits.signatureBytes)
    throw invalid(`it exceeds ${limits.signatureBytes} bytes`);
  const bytes = decodeArmor(label, text);
  if (bytes === undefined) throw invalid("it is not an armored SSH signature");
  const reader = new WireReader(bytes, () => invalid("it is malformed"));
  if (!reader.take(magic.length).equals(magic)) throw invalid("it is not an SSH signature");
  if (reader.uint32() !== version) throw invalid("it has an unknown version");
  const publicKey = reader.string();
  const namespace = reader.text();
  // Reserved, for additions that do not change the meaning.
  reader.string();
  const hash = reader.text();
  const signature = reader.string();
  if (reader.rest().length > 0) throw invalid("it has further bytes at its end");
  if (!hashes.includes(hash)) throw invalid("it uses an unknown digest");
  return { publicKey, namespace, hash, signature };
}
