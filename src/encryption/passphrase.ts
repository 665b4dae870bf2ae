import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto";
import type { Identity, Recipient, Stanza } from "age-encryption";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { AgeLibrary } from "./age-library.js";

// The package's own scrypt would block the event loop for a second.

const stanzaType = "scrypt";
const saltLabel = "age-encryption.org/v1/scrypt";
const saltBytes = 16;
const tagBytes = 16;
const fileKeyBytes = 16;
const algorithm = "chacha20-poly1305";
/** Each salt makes a key of its own, which encrypts once. */
const zeroNonce = Buffer.alloc(12);

/** Settles with the last derivation. Each takes up to 1 GiB, so that they run one by one. */
let deriving: Promise<unknown> = Promise.resolve();

function deriveKey(passphrase: string, salt: Uint8Array, workFactor: number): Promise<Buffer> {
  const derived = deriving.then(
    () =>
      new Promise<Buffer>((resolve, reject) => {
        const cost = 2 ** workFactor;
        const blockSize = 8;
        scrypt(
          passphrase,
          Buffer.concat([Buffer.from(saltLabel), salt]),
          32,
          { cost, blockSize, parallelization: 1, maxmem: 130 * cost * blockSize },
          (error, key) => (error === null ? resolve(key) : reject(error)),
        );
      }),
  );
  deriving = derived.catch(() => {});
  return derived;
}

/** Throws RECIPIENT_INVALID for a passphrase that is empty or too long. */
export function requirePassphrase(passphrase: string): void {
  if (passphrase === "")
    throw new HostError("RECIPIENT_INVALID", "The passphrase is empty. Choose another one.");
  if (Buffer.byteLength(passphrase) > limits.passphraseBytes)
    throw new HostError(
      "RECIPIENT_INVALID",
      `The passphrase exceeds ${limits.passphraseBytes} bytes. Choose a shorter one.`,
    );
}

/** Returns the recipient of files that a passphrase decrypts. It takes about a second per file. */
export function passphraseRecipient(age: AgeLibrary, passphrase: string): Recipient {
  return {
    async wrapFileKey(fileKey) {
      const salt = randomBytes(saltBytes);
      const key = await deriveKey(passphrase, salt, limits.scryptWorkFactor);
      const cipher = createCipheriv(algorithm, key, zeroNonce, { authTagLength: tagBytes });
      const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
      key.fill(0);
      const args = [stanzaType, unpadded(salt), String(limits.scryptWorkFactor)];
      return [new age.Stanza(args, new Uint8Array(body))];
    },
  };
}

/**
 * Returns the identity for files that are encrypted with a passphrase. It takes about a second per
 * file, up to 4 s if the file says so. Throws BACKUP_DAMAGED for an invalid stanza, and
 * IDENTITY_MISSING if the work factor exceeds its limit.
 *
 * @param name Name of the file in errors.
 */
export function passphraseIdentity(passphrase: string, name: string): Identity {
  return {
    async unwrapFileKey(stanzas) {
      const [stanza] = stanzas.filter(({ args }) => args[0] === stanzaType);
      if (stanza === undefined) return null;
      // Otherwise one could decrypt the file without the passphrase, unnoticed.
      if (stanzas.length !== 1)
        throw new HostError(
          "BACKUP_DAMAGED",
          `Cannot decrypt ${name}: its header has other recipients beside a passphrase.`,
        );
      const { salt, workFactor } = parseStanza(stanza, name);
      const key = await deriveKey(passphrase, salt, workFactor);
      const decipher = createDecipheriv(algorithm, key, zeroNonce, { authTagLength: tagBytes });
      decipher.setAuthTag(stanza.body.subarray(fileKeyBytes));
      const fileKey = decipher.update(stanza.body.subarray(0, fileKeyBytes));
      key.fill(0);
      try {
        decipher.final();
      } catch {
        return null;
      }
      return fileKey;
    },
  };
}

function parseStanza({ args, body }: Stanza, name: string): { salt: Buffer; workFactor: number } {
  const [, saltText = "", factorText = ""] = args;
  const salt = Buffer.from(saltText, "base64");
  const workFactor = Number(factorText);
  if (
    args.length !== 3 ||
    salt.length !== saltBytes ||
    unpadded(salt) !== saltText ||
    !/^[1-9]\d?$/.test(factorText) ||
    body.length !== fileKeyBytes + tagBytes
  )
    throw new HostError(
      "BACKUP_DAMAGED",
      `Cannot decrypt ${name}: the passphrase stanza of its header is invalid.`,
    );
  if (workFactor > limits.scryptWorkFactorMax)
    throw new HostError(
      "IDENTITY_MISSING",
      `Cannot decrypt ${name}: its passphrase has the work factor ${workFactor}; the limit is ${limits.scryptWorkFactorMax}. Decrypt it with the age command.`,
    );
  return { salt, workFactor };
}

const unpadded = (bytes: Buffer) => bytes.toString("base64").replace(/=+$/, "");
