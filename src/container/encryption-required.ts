import { HostError } from "../errors.js";

/**
 * Returns the error for a backup in the clear beside, or in place of, an encrypted one.
 * ENCRYPTION_REQUIRED.
 *
 * @param encrypted What is encrypted, and the verb: "The archive x is".
 */
export function encryptionRequired(encrypted: string): HostError {
  return new HostError(
    "ENCRYPTION_REQUIRED",
    `${encrypted} encrypted, and this backup has neither recipients nor a passphrase. Nothing was changed. Add them, or request a backup in the clear explicitly.`,
  );
}
