import type { FoundManifest } from "../container/container.js";
import { encryptionRequired } from "../container/encryption-required.js";
import { sha256Of } from "../io/sha256.js";
import type { SegmentEncryption, StoredManifest } from "../segment/manifest.js";
import type { WrittenManifests } from "./written-manifests.js";

/** What a backup requests of the encryption at its destination. */
export interface EncryptionWish {
  /** Who will be able to read the backup. Undefined: it is written in the clear. */
  encryption: SegmentEncryption | undefined;
  /** Continues a chain whose segments are encrypted otherwise, or not at all. Default: a new base. */
  keepChain?: boolean;
  /** Writes in the clear although existing backups are encrypted. Default: ENCRYPTION_REQUIRED. */
  unencrypted?: boolean;
  /** The URI of the destination, for errors. */
  destination: string;
  /** The destination in the record of written manifests. */
  identity: string;
  written: Pick<WrittenManifests, "find" | "last">;
}

/** What is known of the encryption at a destination before a backup. */
export interface EncryptionBefore {
  existing: readonly FoundManifest[];
  /** Whether the destination has files with names of encrypted segments. Asked only if nothing else decides. */
  hasEncryptedFiles(): Promise<boolean> | undefined;
  /** The chain that the backup would extend. */
  previous: StoredManifest | undefined;
  /** The index that is backed up. */
  indexId: string;
}

/**
 * Throws ENCRYPTION_REQUIRED for a backup in the clear where backups were encrypted, unless it is requested
 * explicitly. Whoever keeps the destination can damage, remove and bring back manifests, so that the host's
 * own record decides, if it has one: of the last backup of this index there. A manifest of this index that
 * is not in the record is of a later state of the host. Without a record, every manifest counts, and the
 * names of files.
 */
export async function requireEncryption(
  { encryption, unencrypted = false, destination, identity, written }: EncryptionWish,
  { existing, hasEncryptedFiles, indexId }: EncryptionBefore,
): Promise<void> {
  if (encryption || unencrypted) return;
  const last = written.last(identity, indexId);
  if (last?.readers !== undefined)
    throw encryptionRequired(`The last backup to ${destination} was`);
  const counts = ({ sha256, manifest }: StoredManifest) =>
    last === undefined || (manifest.indexId === indexId && written.find(sha256) === undefined);
  const isListed = existing.some(
    (one) => "file" in one && one.file.manifest.encryption && counts(one.file),
  );
  if (isListed || (!last && (await hasEncryptedFiles())))
    throw encryptionRequired(`The backups at ${destination} are`);
}

/** Returns why the requested encryption requires a new base, or undefined if it does not. */
export function encryptionChange(
  { encryption: wanted, keepChain = false }: EncryptionWish,
  { previous }: EncryptionBefore,
): string | undefined {
  const before = previous?.manifest.encryption;
  if (!previous || (!wanted && !before)) return undefined;
  if (!wanted) return "the chain is encrypted, and a backup in the clear was requested";
  if (keepChain) return undefined;
  if (!before) return "the chain is not encrypted";
  if (wanted.recipients.length === 0)
    return "the backup is encrypted with a passphrase, which cannot be compared with that of the chain";
  return readersOf(wanted) === readersOf(before)
    ? undefined
    : "the recipients differ from those of the chain";
}

/** Warns if others than before can read what is at the destination after the backup. */
export function encryptionWarnings(
  { encryption: wanted, destination, identity, written }: EncryptionWish,
  { previous, indexId }: EncryptionBefore,
  isExtended: boolean,
): string[] {
  const last = written.last(identity, indexId);
  const before = previous ? readersOf(previous.manifest.encryption) : last?.readers;
  if ((!previous && !last) || before === readersOf(wanted)) return [];
  const was = previous ? describe(previous.manifest.encryption) : describeReaders(before);
  const is = describe(wanted);
  return isExtended
    ? [
        `The backup extends a chain whose earlier segments are ${was}; new ones are ${is}. A restore needs the keys of all of them.`,
      ]
    : [`The last backup to ${destination} was ${was}. This one takes its place and is ${is}.`];
}

/** Returns a text that is equal for the same recipients, which the record of the host stores. */
export function readersOf(encryption: SegmentEncryption | undefined): string | undefined {
  if (!encryption) return undefined;
  const { recipients } = encryption;
  return recipients.length === 0 ? "passphrase" : sha256Of(Buffer.from(recipients.join()));
}

function describe(encryption: SegmentEncryption | undefined): string {
  const [first, ...others] = encryption?.recipients ?? [];
  if (first === undefined) return describeReaders(readersOf(encryption));
  return `encrypted to ${first}${others.length > 0 ? ` and ${others.length} more` : ""}`;
}

function describeReaders(readers: string | undefined): string {
  if (readers === undefined) return "not encrypted";
  return readers === "passphrase" ? "encrypted with a passphrase" : "encrypted to other recipients";
}
