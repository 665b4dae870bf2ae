import { randomBytes } from "node:crypto";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { loadAge, pause } from "./age-library.js";
import { HeaderReader } from "./header.js";
import { passphraseRecipient, requirePassphrase } from "./passphrase.js";
import { encryptedSize, payloadNonceBytes, PayloadKey, plainChunks } from "./payload.js";
import { AgeReader } from "./reader.js";
import type { Recipients } from "./recipients.js";

/** Who can decrypt a file: recipients, or whoever knows the passphrase. */
export type EncryptFor = Recipients | { readonly passphrase: string };

/** Encrypts one age file, whose key it keeps in memory until it is closed. */
export class Encryption {
  /** Decrypts the file, to verify it without an identity. Closed with the encryption. */
  readonly reader: AgeReader;
  readonly #prefix: Buffer;
  readonly #key: PayloadKey;
  #started = false;

  /** @param prefix Header and nonce: all bytes before the payload. */
  constructor(name: string, prefix: Buffer, key: PayloadKey) {
    this.#prefix = prefix;
    this.#key = key;
    this.reader = new AgeReader(name, prefix, key);
  }

  /** Bytes before the payload: the header and its nonce. */
  get payloadOffset(): number {
    return this.#prefix.length;
  }

  /** Returns the size of the file for plain data of `plainBytes`. */
  encryptedSize(plainBytes: number): number {
    return encryptedSize(this.payloadOffset, plainBytes);
  }

  /**
   * Encrypts data to the complete file, in buffers of about limits.encryptedBlockBytes. The source
   * must not reuse its buffers. Throws if it is called again: other data with the same key would
   * reveal both.
   */
  async *encrypt(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
    if (this.#started) throw new Error("An encryption encrypts one file");
    this.#started = true;
    let parts: Buffer[] = [this.#prefix];
    let partBytes = this.#prefix.length;
    let index = 0;
    for await (const chunk of plainChunks(chunks)) {
      const [encrypted, tag] = this.#key.seal(chunk, index);
      index += 1;
      parts.push(encrypted, tag);
      partBytes += encrypted.length + tag.length;
      if (partBytes < limits.encryptedBlockBytes && !chunk.last) continue;
      yield Buffer.concat(parts, partBytes);
      parts = [];
      partBytes = 0;
    }
  }

  /** Overwrites the key. */
  close(): void {
    this.#key.destroy();
  }
}

/**
 * Makes the key and header of a new age file. With a passphrase it takes about a second. Throws
 * RECIPIENT_INVALID for a recipient that no file can be encrypted to, or an empty passphrase.
 *
 * @param name Name of the file in errors.
 */
export async function createEncryption(name: string, to: EncryptFor): Promise<Encryption> {
  const age = await loadAge();
  const encrypter = new age.Encrypter();
  if ("passphrase" in to) {
    requirePassphrase(to.passphrase);
    encrypter.addRecipient(passphraseRecipient(age, to.passphrase));
  } else
    for (const recipient of to.list) {
      encrypter.addRecipient(recipient);
      encrypter.addRecipient(pause);
    }
  // The package does not return the key that it wraps, but shows it to each recipient.
  let fileKey: Uint8Array | undefined;
  encrypter.addRecipient({
    wrapFileKey(key) {
      fileKey = key;
      return [];
    },
  });
  let file: Uint8Array;
  try {
    file = await encrypter.encrypt(new Uint8Array(0));
  } catch (cause) {
    fileKey?.fill(0);
    throw new HostError(
      "RECIPIENT_INVALID",
      `Cannot encrypt ${name}: a recipient or the passphrase is not usable as a key.`,
      { cause },
    );
  }
  const header = new HeaderReader(name).add(file);
  if (header === undefined || fileKey === undefined)
    throw new Error("age-encryption made no complete header");
  // The package has encrypted an empty payload with its nonce. Another nonce makes another key.
  const nonce = randomBytes(payloadNonceBytes);
  const key = new PayloadKey(fileKey, nonce);
  fileKey.fill(0);
  return new Encryption(name, Buffer.concat([header.text, nonce]), key);
}
