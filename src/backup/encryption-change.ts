import type { FoundManifest } from "../container/container.js";
import { encryptionRequired } from "../container/encryption-required.js";
import type { StoredManifest } from "../segment/manifest.js";
import { encryptionOf, type SegmentEncoding } from "./encode-segment.js";

/** What a backup requests of the encryption at its destination. */
export interface EncryptionWish {
  encoding: SegmentEncoding;
  /** Continues a chain whose segments are encrypted otherwise, or not at all. Default: a new base. */
  keepChain?: boolean;
  /** Writes in the clear although existing backups are encrypted. Default: ENCRYPTION_REQUIRED. */
  unencrypted?: boolean;
  /** The URI of the destination, for errors. */
  destination: string;
}

/**
 * Returns why the requested encryption requires a new base, or undefined if it does not. Throws
 * ENCRYPTION_REQUIRED for a backup in the clear beside encrypted ones.
 *
 * @param previous The chain that the backup would extend.
 */
export function encryptionChange(
  { encoding, keepChain = false, unencrypted = false, destination }: EncryptionWish,
  existing: readonly FoundManifest[],
  previous: StoredManifest | undefined,
): string | undefined {
  const wanted = encryptionOf(encoding);
  const before = previous?.manifest.encryption;
  const isEncrypted = existing.some((one) => "file" in one && one.file.manifest.encryption);
  if (!wanted && isEncrypted && !unencrypted)
    throw encryptionRequired(`The backups at ${destination} are`);
  if (!previous || (!wanted && !before)) return undefined;
  if (!wanted) return "the chain is encrypted, and a backup in the clear was requested";
  if (keepChain) return undefined;
  if (!before) return "the chain is not encrypted";
  if (wanted.recipients.length === 0)
    return "the backup is encrypted with a passphrase, which cannot be compared with that of the chain";
  return wanted.recipients.join() === before.recipients.join()
    ? undefined
    : "the recipients differ from those of the chain";
}
