import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { payloadNonceBytes } from "./payload.js";

/** The part of an age file before its payload. */
export interface AgeHeader {
  /** The text of the header with its final newline. Its MAC is not checked yet. */
  text: Buffer;
  /** Header and nonce: all bytes before the payload. */
  prefix: Buffer;
  nonce: Buffer;
  /** Whether the file is encrypted with a passphrase. */
  hasPassphrase: boolean;
}

const newline = 0x0a;
const versionLine = "age-encryption.org/v1";
const anyVersionLine = /^age-encryption\.org\/v\d+$/;
const stanzaPrefix = "-> ";
const endPrefix = "--- ";

/** Finds the header of an age file in its first bytes, which may arrive in pieces. */
export class HeaderReader {
  readonly #name: string;
  readonly #held = Buffer.allocUnsafeSlow(limits.ageHeaderBytes + payloadNonceBytes);
  #heldBytes = 0;
  #lineStart = 0;
  #lines = 0;
  #stanzas = 0;
  #hasPassphrase = false;
  /** Size of the header once its last line was found. */
  #textBytes: number | undefined;

  /** @param name Name of the file in errors. */
  constructor(name: string) {
    this.#name = name;
  }

  /**
   * Adds the next bytes of the file. Returns the header once it is complete; bytes after it are
   * ignored. Throws BACKUP_DAMAGED if this is no age file or its header exceeds a limit, and
   * FORMAT_TOO_NEW for another version of age.
   */
  add(bytes: Uint8Array): AgeHeader | undefined {
    const part = bytes.subarray(0, this.#held.length - this.#heldBytes);
    this.#held.set(part, this.#heldBytes);
    const scanned = this.#heldBytes;
    this.#heldBytes += part.length;
    this.#textBytes ??= this.#findEnd(scanned);
    if (this.#textBytes === undefined) {
      if (this.#heldBytes === this.#held.length)
        throw this.#damaged(`its header exceeds ${limits.ageHeaderBytes} bytes`);
      return undefined;
    }
    const prefixBytes = this.#textBytes + payloadNonceBytes;
    if (this.#heldBytes < prefixBytes) return undefined;
    // A copy, so that a reader does not keep the whole buffer.
    const prefix = Buffer.from(this.#held.subarray(0, prefixBytes));
    return {
      text: prefix.subarray(0, this.#textBytes),
      prefix,
      nonce: prefix.subarray(this.#textBytes),
      hasPassphrase: this.#hasPassphrase,
    };
  }

  /** Returns the error for a file that ends before its header is complete. BACKUP_DAMAGED. */
  truncated(): HostError {
    return this.#damaged("it is truncated in its header, or is not an age file");
  }

  /** Returns the size of the header, or undefined if its last line has not arrived. */
  #findEnd(from: number): number | undefined {
    for (
      let end = this.#held.subarray(0, this.#heldBytes).indexOf(newline, from);
      end >= 0;
      end = this.#held.subarray(0, this.#heldBytes).indexOf(newline, this.#lineStart)
    ) {
      const line = this.#held.toString("latin1", this.#lineStart, end);
      this.#lineStart = end + 1;
      this.#lines += 1;
      if (this.#lines === 1) this.#requireVersion(line);
      else if (line.startsWith(endPrefix)) return this.#lineStart;
      else if (line.startsWith(stanzaPrefix)) {
        this.#stanzas += 1;
        if (line.startsWith(`${stanzaPrefix}scrypt `)) this.#hasPassphrase = true;
        if (this.#stanzas > limits.ageStanzas)
          throw this.#damaged(`its header has more than ${limits.ageStanzas} stanzas`);
      }
    }
    return undefined;
  }

  #requireVersion(line: string): void {
    if (line === versionLine) return;
    if (anyVersionLine.test(line))
      throw new HostError(
        "FORMAT_TOO_NEW",
        `Cannot decrypt ${this.#name}: it has another version of the age format. Use a newer release.`,
      );
    throw this.#damaged("it is not an age file");
  }

  #damaged(why: string): HostError {
    return new HostError("BACKUP_DAMAGED", `Cannot decrypt ${this.#name}: ${why}.`);
  }
}
