import { requirePassphrase } from "../encryption/passphrase.js";
import { parseRecipients } from "../encryption/recipients.js";
import { runInChild } from "../io/child-process.js";
import type { Compression } from "../segment/format.js";

/** Who can decrypt a file: recipients (age1...), or whoever knows the passphrase. */
export type EncryptTo = { recipients: readonly string[] } | { passphrase: string };

/**
 * Checks who can decrypt a file. Returns recipients sorted, each once, as manifests state them. Throws
 * RECIPIENT_INVALID.
 */
export async function checkEncryptTo(to: EncryptTo): Promise<EncryptTo> {
  if ("passphrase" in to) {
    requirePassphrase(to.passphrase);
    return to;
  }
  return { recipients: (await parseRecipients(to.recipients.join("\n"))).list };
}

/** What decrypts files: the text of identity files (AGE-SECRET-KEY-...), and passphrases. Secret. */
export interface DecryptWith {
  identities: string;
  passphrase: string;
}

/** Work on stored files for a child process, so that it does not use memory and time of the host. */
export type EncodingCall =
  | {
      /** Compresses, then encrypts a file to a new one, syncs it, and verifies it by decoding it. */
      kind: "encode";
      source: string;
      target: string;
      /** Name of the stored file in messages. */
      name: string;
      compression: Compression;
      encryptTo?: EncryptTo | undefined;
    }
  | {
      /** Decrypts, then decompresses files to new ones. */
      kind: "decode";
      files: EncodedFile[];
      decryptWith?: DecryptWith | undefined;
    };

/** A file to decode. */
export interface EncodedFile {
  source: string;
  target: string;
  /** Name of the stored file in messages. */
  name: string;
  compression: Compression;
  encrypted: boolean;
  /** Expected size and digest of the source. Absent: unknown. */
  stored?: { sizeBytes: number; sha256: string } | undefined;
  /** Greatest size of the result. */
  maxBytes: number;
  /** Default: the source is removed when it was decoded. */
  keepSource?: boolean;
}

/** Size and digest of a target, the digest in lower-case hexadecimal. */
export interface Encoded {
  sizeBytes: number;
  sha256: string;
}

/**
 * Runs a call in a child process. Returns the targets in the order of the call. `onBytes` receives the number of plain bytes processed since the last
 * call. Throws BACKUP_DAMAGED, IDENTITY_MISSING, IDENTITY_INVALID, RECIPIENT_INVALID and NOT_SUPPORTED.
 */
export function runEncoding(
  call: EncodingCall,
  signal: AbortSignal,
  onBytes?: (count: number) => void,
): Promise<Encoded[]> {
  return runInChild<EncodingCall, Encoded[], number>("encoding/encoding-process", call, {
    signal,
    nodeArguments: ["--expose-gc"],
    ...(onBytes && { onProgress: onBytes }),
  });
}
