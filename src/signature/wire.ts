import type { HostError } from "../errors.js";

/** Encodes a string of the SSH protocol: its length in 4 bytes, then its bytes. */
export function wireString(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([wireUint32(bytes.length), bytes]);
}

/** Encodes a number in 4 bytes. */
export function wireUint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Reads the binary encoding of the SSH protocol. Methods throw the given error for missing bytes. */
export class WireReader {
  readonly #bytes: Buffer;
  readonly #malformed: () => HostError;
  #position = 0;

  /** @param malformed Returns the error for missing or unexpected bytes. */
  constructor(bytes: Buffer, malformed: () => HostError) {
    this.#bytes = bytes;
    this.#malformed = malformed;
  }

  /** Returns the next bytes. They share the memory of the input. */
  take(count: number): Buffer {
    const end = this.#position + count;
    if (end > this.#bytes.length) throw this.#malformed();
    const part = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return part;
  }

  uint32(): number {
    return this.take(4).readUInt32BE();
  }

  string(): Buffer {
    return this.take(this.uint32());
  }

  /** Reads a string of printable ASCII, such as the name of an algorithm. */
  text(): string {
    const text = this.string().toString("latin1");
    if (!/^[\x20-\x7e]*$/.test(text)) throw this.#malformed();
    return text;
  }

  /** Returns the bytes that were not read. */
  rest(): Buffer {
    return this.take(this.#bytes.length - this.#position);
  }
}

const base64Form = /^[A-Za-z0-9+/]*={0,2}$/;

/** Decodes padded base64, or returns undefined if the text is any other encoding. */
export function decodeBase64(text: string): Buffer | undefined {
  if (!base64Form.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}

/** Encodes bytes as base64 in lines of 70 characters between two lines with a label. */
export function encodeArmor(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,70}/g) ?? [];
  return `${[`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`].join("\n")}\n`;
}

/** Decodes an armored text with this label, or returns undefined if it is none. */
export function decodeArmor(label: string, text: string): Buffer | undefined {
  const lines = text.trim().split(/\r?\n/);
  if (lines.shift() !== `-----BEGIN ${label}-----` || lines.pop() !== `-----END ${label}-----`)
    return undefined;
  return decodeBase64(lines.join(""));
}
