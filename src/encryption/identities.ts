import type { Identity } from "age-encryption";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { loadAge, pause } from "./age-library.js";
import type { AgeHeader } from "./header.js";
import { passphraseIdentity } from "./passphrase.js";

/** Secret keys and passphrases that decrypt files. Printing or serializing it shows none of them. */
export class Identities {
  /** AGE-SECRET-KEY-1... or AGE-SECRET-KEY-PQ-1... */
  readonly #keys: readonly string[];
  readonly #passphrases: readonly string[];

  private constructor(keys: readonly string[], passphrases: readonly string[]) {
    this.#keys = keys;
    this.#passphrases = passphrases;
  }

  /**
   * Parses the decrypted text of an identity file: one identity per line; empty lines and lines that
   * begin with # are ignored. Throws IDENTITY_INVALID, with no part of the text.
   *
   * @param where Where the text is from, for errors.
   */
  static async parse(text: string, where = "the identities"): Promise<Identities> {
    const invalid = (why: string) => new HostError("IDENTITY_INVALID", `In ${where}: ${why}`);
    const { Decrypter } = await loadAge();
    const keys = new Set<string>();
    for (const [index, line] of text.split("\n").entries()) {
      const key = line.trim();
      if (key === "" || key.startsWith("#")) continue;
      const problem = problemOf(key);
      if (problem !== undefined) throw invalid(`line ${index + 1} ${problem}`);
      try {
        new Decrypter().addIdentity(key);
      } catch {
        throw invalid(
          `line ${index + 1} is not a valid identity: its checksum or length is wrong. Copy it again.`,
        );
      }
      keys.add(key);
      if (keys.size > limits.ageIdentities)
        throw invalid(`more than ${limits.ageIdentities} identities. Use several files.`);
    }
    if (keys.size === 0) throw invalid("no identity. Add a line AGE-SECRET-KEY-1...");
    return new Identities([...keys], []);
  }

  /** Returns the identity of files that are encrypted with a passphrase. */
  static ofPassphrase(passphrase: string): Identities {
    return new Identities([], [passphrase]);
  }

  /** Combines identities. Throws IDENTITY_INVALID if there are more than a file may have. */
  static join(parts: readonly Identities[]): Identities {
    const joined = new Identities(
      [...new Set(parts.flatMap((part) => part.#keys))],
      [...new Set(parts.flatMap((part) => part.#passphrases))],
    );
    if (joined.#keys.length + joined.#passphrases.length > limits.ageIdentities)
      throw new HostError(
        "IDENTITY_INVALID",
        `More than ${limits.ageIdentities} identities. Provide only those that are needed.`,
      );
    return joined;
  }

  /** Returns the recipients of the secret keys, in their order. */
  async recipients(): Promise<string[]> {
    const { identityToRecipient } = await loadAge();
    return Promise.all(this.#keys.map((key) => identityToRecipient(key)));
  }

  /**
   * Returns the key that a header wraps. The caller overwrites it after use. Throws IDENTITY_MISSING
   * if no identity matches, and BACKUP_DAMAGED for a header that was changed.
   *
   * @param name Name of the file in errors.
   */
  async unwrapFileKey(header: AgeHeader, name: string): Promise<Uint8Array> {
    const { Decrypter } = await loadAge();
    const decrypter = new Decrypter();
    for (const key of this.#keys) {
      decrypter.addIdentity(key);
      decrypter.addIdentity(pause);
    }
    for (const passphrase of this.#passphrases)
      decrypter.addIdentity(passphraseIdentity(passphrase, name));
    let matched = true;
    const afterAll: Identity = {
      unwrapFileKey() {
        matched = false;
        return null;
      },
    };
    decrypter.addIdentity(afterAll);
    try {
      return await decrypter.decryptHeader(new Uint8Array(header.text));
    } catch (cause) {
      if (cause instanceof HostError) throw cause;
      if (!matched) throw noneMatches(header, name, this.#passphrases.length > 0);
      // The cause is left out: an error of the package may quote the header.
      throw new HostError(
        "BACKUP_DAMAGED",
        `Cannot decrypt ${name}: its header was changed or is malformed.`,
      );
    }
  }
}

/** Returns the error for an encrypted file if no identity was given. IDENTITY_MISSING. */
export function noIdentity({ hasPassphrase }: AgeHeader, name: string): HostError {
  return new HostError(
    "IDENTITY_MISSING",
    `Cannot decrypt ${name}: it is encrypted. Provide ${hasPassphrase ? "its passphrase, with --passphrase-file FILE or as decryption.passphrase" : "an identity of one of its recipients, with --identity FILE or as decryption.identities"}.`,
  );
}

function noneMatches({ hasPassphrase }: AgeHeader, name: string, gave: boolean): HostError {
  if (!hasPassphrase)
    return new HostError(
      "IDENTITY_MISSING",
      gave
        ? `Cannot decrypt ${name}: it is encrypted to recipients, not with a passphrase. Provide an identity of one of them, with --identity FILE or as decryption.identities.`
        : `Cannot decrypt ${name}: no given identity is one of its recipients. Provide the identity of one of them.`,
    );
  return new HostError(
    "IDENTITY_MISSING",
    gave
      ? `Cannot decrypt ${name}: the passphrase is wrong.`
      : `Cannot decrypt ${name}: it is encrypted with a passphrase. Provide it, with --passphrase-file FILE or as decryption.passphrase.`,
  );
}

/**
 * Generates an identity. Returns its recipient, and the secret text of its identity file in the
 * format of age-keygen; the caller stores it where only its owner can read it.
 *
 * @param createdMs Time for the comment in the file, in milliseconds since 1970.
 */
export async function generateIdentity({
  createdMs,
  postQuantum = false,
}: {
  createdMs: number;
  postQuantum?: boolean;
}): Promise<{ recipient: string; identityFile: string }> {
  const age = await loadAge();
  const key = postQuantum ? await age.generateHybridIdentity() : await age.generateX25519Identity();
  const recipient = await age.identityToRecipient(key);
  const created = `${new Date(createdMs).toISOString().slice(0, 19)}Z`;
  return {
    recipient,
    identityFile: `# created: ${created}\n# public key: ${recipient}\n${key}\n`,
  };
}

function problemOf(key: string): string | undefined {
  if (/^AGE-SECRET-KEY-(PQ-)?1[02-9AC-HJ-NP-Z]+$/.test(key)) return undefined;
  if (key.startsWith("AGE-PLUGIN-"))
    return "is an identity of a plugin, which is not supported. Decrypt with the age command.";
  if (key.startsWith("-----BEGIN "))
    return "begins an SSH or PEM key, which is not supported. Use an identity of age-keygen.";
  if (key.startsWith("age1"))
    return "is a recipient. Use the identity that belongs to it: AGE-SECRET-KEY-1...";
  return "is not an identity. Use AGE-SECRET-KEY-1... or AGE-SECRET-KEY-PQ-1..., one per line.";
}
