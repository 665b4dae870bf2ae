import { verify } from "node:crypto";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { decodePublicKey, fingerprintOf, keyType, publicKeyType } from "./public-key.js";
import { decodeSignature, signedData } from "./signature-format.js";
import { matchesList, type TrustedSigner } from "./trusted-signers.js";
import { WireReader } from "./wire.js";

/** What a signature is verified against. */
export interface VerifyOptions {
  trusted: readonly TrustedSigner[];
  /** Purpose for which the signature must have been made. */
  namespace: string;
  /** Name that the signer must be trusted for. Default: any. */
  principal?: string | undefined;
  /** Time at which the signer must be trusted, in milliseconds since 1970. */
  timeMs: number;
  /** Name of the signed file in errors. */
  name: string;
}

/** Who has signed. */
export interface VerifiedSigner {
  /** Requested name, or the names of the first matching line of the trusted signers. */
  principal: string;
  /** SHA256:... */
  fingerprint: string;
}

/**
 * Verifies a signature file of OpenSSH.
 *
 * @param signature Text of the signature file; undefined if there is none.
 *
 * Throws SIGNATURE_MISSING, SIGNATURE_INVALID if it is malformed, was made for another purpose or
 * does not match the bytes, and SIGNER_NOT_TRUSTED.
 */
export function verifySignature(
  message: Uint8Array,
  signature: string | undefined,
  options: VerifyOptions,
): VerifiedSigner {
  const { namespace, name } = options;
  if (signature === undefined)
    throw new HostError(
      "SIGNATURE_MISSING",
      `${name} has no signature, but a trusted one is required.`,
    );
  const invalid = (why: string) =>
    new HostError("SIGNATURE_INVALID", `The signature of ${name} is invalid: ${why}.`);
  const malformed = () => invalid("it is malformed");
  const contents = decodeSignature(signature, name);
  if (contents.namespace !== namespace)
    throw invalid(`it was made for another purpose than ${namespace}`);
  const fingerprint = fingerprintOf(contents.publicKey);
  if (publicKeyType(contents.publicKey, malformed) !== keyType)
    throw new HostError(
      "SIGNER_NOT_TRUSTED",
      `${name} is signed with a key of an unsupported type (${fingerprint}). Sign it with a key of the type ${keyType}.`,
    );
  const reader = new WireReader(contents.signature, malformed);
  const type = reader.text();
  const bytes = reader.string();
  if (type !== keyType || reader.rest().length > 0) throw malformed();
  const key = decodePublicKey(contents.publicKey, malformed);
  if (!verify(null, signedData(message, namespace, contents.hash), key, bytes))
    throw invalid("it does not match the file. One of them was changed");
  const principal = findPrincipal(contents.publicKey, fingerprint, options);
  return { principal, fingerprint };
}

/** Returns the name for which a key is trusted. Throws SIGNER_NOT_TRUSTED. */
function findPrincipal(
  publicKey: Buffer,
  fingerprint: string,
  { trusted, namespace, principal, timeMs, name }: VerifyOptions,
): string {
  let why = "is not among the trusted signers";
  for (const signer of trusted) {
    if (!signer.publicKey.equals(publicKey)) continue;
    const problem = problemOf(signer, { namespace, principal, timeMs });
    if (problem === undefined) return principal ?? signer.principals.join(",");
    why = problem;
  }
  throw new HostError(
    "SIGNER_NOT_TRUSTED",
    `${name} is signed by ${fingerprint}, which ${why}. If this signer is expected, correct the trusted signers.`,
    { metadata: { fingerprint } },
  );
}

function problemOf(
  { principals, namespaces, validAfterMs, validBeforeMs }: TrustedSigner,
  { namespace, principal, timeMs }: Pick<VerifyOptions, "namespace" | "principal" | "timeMs">,
): string | undefined {
  if (
    principal !== undefined &&
    (principal.length > limits.principalChars || !matchesList(principal, principals))
  )
    return "is not trusted for the requested name";
  if (namespaces !== undefined && !matchesList(namespace, namespaces))
    return `is not trusted for the purpose ${namespace}`;
  if (validAfterMs !== undefined && timeMs < validAfterMs)
    return `is trusted only after ${timeOf(validAfterMs)}`;
  if (validBeforeMs !== undefined && timeMs > validBeforeMs)
    return `was trusted only until ${timeOf(validBeforeMs)}`;
  return undefined;
}

const timeOf = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
