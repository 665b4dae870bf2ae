import type { ManifestTrust } from "../container/container.js";
import type { ManifestFile } from "../segment/manifest.js";
import { manifestNamespace } from "../signature/signature-format.js";
import type { TrustedSigner } from "../signature/trusted-signers.js";
import { verifySignature } from "../signature/verify.js";

/**
 * Trusts manifests that one of the signers has signed. A signer with an end of its validity is trusted for
 * manifests that were created before.
 */
export function trustSigners(trusted: readonly TrustedSigner[]): ManifestTrust {
  return {
    check({ name, bytes, manifest }: ManifestFile, signature) {
      verifySignature(bytes, signature, {
        trusted,
        namespace: manifestNamespace,
        timeMs: Math.floor(manifest.createTimeMicros / 1000),
        name: `The manifest ${name}`,
      });
    },
  };
}
