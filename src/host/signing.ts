import type { ManifestTrust } from "../container/container.js";
import { trustSigners } from "../backup/trust.js";
import { HostError } from "../errors.js";
import { writeFileDurably } from "../io/durable-file.js";
import { manifestNamespace } from "../signature/signature-format.js";
import { SigningKey } from "../signature/signing-key.js";
import { verifySignature } from "../signature/verify.js";
import { parseTrustedSigners, type TrustedSigner } from "../signature/trusted-signers.js";
import type { HostContext } from "./context.js";

/** Signing of the manifests of a host, and whose manifests it uses. */
export interface Signing {
  /** Signs the bytes of a manifest. Returns the text of a signature file. */
  sign(bytes: Uint8Array): string;
  /** Public half of the key, as one line of OpenSSH. */
  readonly publicLine: string;
  /** SHA256:... */
  readonly fingerprint: string;
  /** Undefined: manifests are used whoever has signed them. */
  readonly trust: ManifestTrust | undefined;
}

/**
 * Loads the signing key of the host, or creates it and its public half beside it. Throws
 * SIGNING_KEY_INVALID and TRUSTED_SIGNERS_INVALID.
 */
export async function openSigning({ options, directory, hostId }: HostContext): Promise<Signing> {
  const { platform, trustedSigners } = options;
  const path = directory.signingKey;
  const exists = (await platform.files.status(path)) !== undefined;
  const publicHalfExists = (await platform.files.status(directory.signingKeyPublic)) !== undefined;
  if (!exists && publicHalfExists) {
    throw new HostError(
      "SIGNING_KEY_INVALID",
      `The signing key ${path} is missing, and its public half is there. Restore the key, or move ${directory.signingKeyPublic} away too: the host then creates a new key, which your trusted signers do not contain.`,
    );
  }
  const key = exists
    ? await SigningKey.load(platform.files, path)
    : await SigningKey.create(platform, path, hostId);
  const publicHalf = Buffer.from(`${key.publicLine}\n`);
  if (!publicHalfExists) await writeFileDurably(platform, directory.signingKeyPublic, publicHalf);
  const signers =
    trustedSigners === undefined
      ? undefined
      : parseTrustedSigners(trustedSigners, "the trusted signers of the host");
  if (signers) requireOwnKey(signers, key, platform.nowMicros());
  return {
    sign: (bytes) => key.sign(bytes, manifestNamespace),
    publicLine: key.publicLine,
    fingerprint: key.fingerprint,
    trust: signers && trustSigners(signers),
  };
}

/** A host that does not trust itself would make backups that it refuses to restore. */
function requireOwnKey(
  trusted: readonly TrustedSigner[],
  key: SigningKey,
  nowMicros: number,
): void {
  const probe = Buffer.from("probe");
  try {
    verifySignature(probe, key.sign(probe, manifestNamespace), {
      trusted,
      namespace: manifestNamespace,
      timeMs: Math.floor(nowMicros / 1000),
      name: "A new backup",
    });
  } catch (cause) {
    throw new HostError(
      "TRUSTED_SIGNERS_INVALID",
      `The trusted signers do not contain the key of this host, so that it could not restore its own backups. Add the line: NAME ${key.publicLine}`,
      { cause },
    );
  }
}
