import {
  Compression as CompressionCode,
  type Decryption,
  type Encryption,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { EncryptionRequest } from "../../backup/backup-request.js";
import type { DecryptWith } from "../../encoding/encoding-call.js";
import { HostError } from "../../errors.js";
import type { Compression } from "../../segment/format.js";

/** Converts the encryption of a backup. Throws REQUEST_INVALID for contradictory fields. */
export function fromEncryption(message: Encryption | undefined): {
  encryption?: EncryptionRequest;
} {
  if (!message) return {};
  const { recipients, passphrase, keepChain, disabled } = message;
  const ways = [recipients.length > 0, passphrase !== "", disabled].filter(Boolean).length;
  if (ways > 1) {
    throw new HostError(
      "REQUEST_INVALID",
      "encryption takes recipients, or a passphrase, or disabled, and not several of them.",
      { metadata: { field: "encryption" } },
    );
  }
  if (keepChain && disabled) {
    throw new HostError(
      "REQUEST_INVALID",
      "encryption takes keep_chain or disabled, and not both: an encrypted chain is never continued in the clear.",
      { metadata: { field: "encryption" } },
    );
  }
  return {
    encryption: {
      keepChain,
      disabled,
      ...(recipients.length > 0 && { encryptTo: { recipients } }),
      ...(passphrase !== "" && { encryptTo: { passphrase } }),
    },
  };
}

/** Converts the keys for an encrypted backup. */
export function fromDecryption(message: Decryption | undefined): { decryptWith?: DecryptWith } {
  if (!message) return {};
  const { identities, passphrase } = message;
  return { decryptWith: { identities, passphrase } };
}

const codes: Record<Compression, CompressionCode> = {
  none: CompressionCode.NONE,
  gzip: CompressionCode.GZIP,
  zstd: CompressionCode.ZSTD,
};

/** Converts the compression of a file. */
export const toCompression = (compression: Compression): CompressionCode => codes[compression];

/** Converts a chosen compression. Unspecified: none was chosen. */
export function fromCompression(code: CompressionCode): { compression?: Compression } {
  switch (code) {
    case CompressionCode.UNSPECIFIED:
      return {};
    case CompressionCode.NONE:
      return { compression: "none" };
    case CompressionCode.GZIP:
      return { compression: "gzip" };
    case CompressionCode.ZSTD:
      return { compression: "zstd" };
  }
}
