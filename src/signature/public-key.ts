import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import type { HostError } from "../errors.js";
import { WireReader, wireString } from "./wire.js";

/** The only supported type of keys. */
export const keyType = "ssh-ed25519";
const keyBytes = 32;

/** Encodes the 32 bytes of a public key as OpenSSH does. */
export function encodePublicKey(key: Uint8Array): Buffer {
  return Buffer.concat([wireString(keyType), wireString(key)]);
}

/** Returns the type of an encoded public key. Throws the given error if it is malformed. */
export function publicKeyType(encoded: Buffer, malformed: () => HostError): string {
  return new WireReader(encoded, malformed).text();
}

/** Decodes an Ed25519 key. Throws the given error if it is malformed or has another type. */
export function decodePublicKey(encoded: Buffer, malformed: () => HostError): KeyObject {
  const reader = new WireReader(encoded, malformed);
  const type = reader.text();
  const key = reader.string();
  if (type !== keyType || key.length !== keyBytes || reader.rest().length > 0) throw malformed();
  return createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: key.toString("base64url") },
    format: "jwk",
  });
}

/** Returns the fingerprint of an encoded public key as `ssh-keygen -l` shows it. */
export function fingerprintOf(encoded: Buffer): string {
  const digest = createHash("sha256").update(encoded).digest("base64");
  return `SHA256:${digest.replace(/=+$/, "")}`;
}
