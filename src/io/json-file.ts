import { createHash } from "node:crypto";
import { HostError } from "../errors.js";
import { writeFileDurably } from "./durable-file.js";
import { errnoOf } from "./file-system.js";
import type { Platform } from "./platform.js";
import { readSmallFile } from "./read-file.js";

/**
 * Result of a read. The caller decides how to handle each state: an unreadable file is never
 * replaced automatically.
 */
export type JsonContent<T> =
  | { state: "read"; value: T }
  | { state: "missing" }
  /** The file is not JSON, too large, or has an unexpected value. */
  | { state: "invalid"; error: unknown }
  /** The file system returned an error. */
  | { state: "failed"; error: unknown };

/** Options of a state file. */
export interface JsonFileOptions<T> {
  platform: Pick<Platform, "files" | "randomHex">;
  path: string;
  /** A larger file is invalid. */
  maxBytes: number;
  /**
   * Returns the typed value, or undefined for an unexpected value. A TypeError or a HostError makes
   * the file invalid too.
   */
  parse(value: unknown): T | undefined;
  /**
   * Adds a second line with the SHA-256 of the JSON, which detects changed bytes. A file without that
   * line is accepted. Default: false.
   */
  withDigest?: boolean;
}

/** A small state file of the host, in JSON. */
export class JsonFile<T> {
  readonly path: string;
  readonly #options: JsonFileOptions<T>;
  /** Settles with the last write. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(options: JsonFileOptions<T>) {
    this.#options = options;
    this.path = options.path;
  }

  /** Reads the file. Does not throw. */
  async read(): Promise<JsonContent<T>> {
    const { platform, path, maxBytes, parse, withDigest } = this.#options;
    try {
      const text = (await readSmallFile(platform.files, path, maxBytes)).toString("utf8");
      const [json = "", digest = ""] = withDigest ? text.split("\n") : [text];
      if (digest !== "" && digest !== digestOf(json))
        throw new TypeError(`${path} does not match its digest`);
      const value = parse(JSON.parse(json));
      if (value !== undefined) return { state: "read", value };
      throw new TypeError(`${path} has unexpected content`);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return { state: "missing" };
      const invalid =
        error instanceof SyntaxError || error instanceof TypeError || error instanceof HostError;
      return { state: invalid ? "invalid" : "failed", error };
    }
  }

  /** Writes a value durably. Concurrent writes take effect in the order of the calls. */
  write(value: unknown): Promise<void> {
    const { platform, path, withDigest } = this.#options;
    const json = JSON.stringify(value);
    const bytes = Buffer.from(withDigest ? `${json}\n${digestOf(json)}\n` : `${json}\n`);
    const written = this.#writing.then(() => writeFileDurably(platform, path, bytes));
    this.#writing = written.catch(() => {});
    return written;
  }

  /**
   * Renames the file to keep it for inspection while a new one is written. Resolves to its new
   * path.
   */
  async quarantine(): Promise<string> {
    const aside = `${this.path}.unreadable`;
    await this.#options.platform.files.rename(this.path, aside).catch(() => {});
    return aside;
  }
}

const digestOf = (json: string) => createHash("sha256").update(json).digest("hex");
