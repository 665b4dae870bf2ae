import type { ManifestTrust } from "../container/container.js";
import { trustSigners } from "../backup/trust.js";
import { writeFileDurably } from "../io/durable-file.js";
import { manifestNamespace } from "../signature/signature-format.js";
import { SigningKey } from "../signature/signing-key.js";
import { parseTrustedSigners } from "../signature/trusted-signers.js";
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
  const key = exists
    ? await SigningKey.load(platform.files, path)
    : await SigningKey.create(platform, path, hostId);
  const publicHalf = Buffer.from(`${key.publicLine}\n`);
  if (!exists || (await platform.files.status(directory.signingKeyPublic)) === undefined)
    await writeFileDurably(platform, directory.signingKeyPublic, publicHalf);
  const where = "the trusted signers of the host";
  return {
    sign: (bytes) => key.sign(bytes, manifestNamespace),
    publicLine: key.publicLine,
    fingerprint: key.fingerprint,
    trust:
      trustedSigners === undefined
        ? undefined
        : trustSigners(parseTrustedSigners(trustedSigners, where)),
  };
}
