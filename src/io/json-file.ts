import { HostError } from "../errors.js";
import { writeFileDurably } from "./durable-file.js";
import { errnoOf } from "./file-system.js";
import type { Platform } from "./platform.js";
import { readSmallFile } from "./read-file.js";

/** What a read found. Who reads decides what each outcome means: a file is never replaced just because it is unreadable. */
export type JsonContent<T> =
  | { state: "read"; value: T }
  | { state: "missing" }
  /** Its content is not what it should be. */
  | { state: "invalid"; error: unknown }
  /** The file system did not let it be read. */
  | { state: "failed"; error: unknown };

export interface JsonFileOptions<T> {
  platform: Pick<Platform, "files" | "randomHex">;
  path: string;
  /** A larger file is invalid. */
  maxBytes: number;
  /** Undefined for a value that is not what the file should hold. */
  parse(value: unknown): T | undefined;
}

/** A small state file of the host. */
export class JsonFile<T> {
  readonly path: string;
  readonly #options: JsonFileOptions<T>;
  /** Settles with the last write. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(options: JsonFileOptions<T>) {
    this.#options = options;
    this.path = options.path;
  }

  async read(): Promise<JsonContent<T>> {
    const { platform, path, maxBytes, parse } = this.#options;
    try {
      const text = (await readSmallFile(platform.files, path, maxBytes)).toString("utf8");
      const value = parse(JSON.parse(text));
      if (value !== undefined) return { state: "read", value };
      return { state: "invalid", error: new TypeError(`${path} has an unexpected content`) };
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return { state: "missing" };
      const invalid = error instanceof SyntaxError || error instanceof HostError;
      return { state: invalid ? "invalid" : "failed", error };
    }
  }

  /** Durable when it resolves. Writes happen in the order of their calls. */
  write(value: unknown): Promise<void> {
    const { platform, path } = this.#options;
    const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
    const written = this.#writing.then(() => writeFileDurably(platform, path, bytes));
    this.#writing = written.catch(() => {});
    return written;
  }

  /** Renames the file, so that a new one can be written while the old one can still be looked at. Resolves to its new path. */
  async putAside(): Promise<string> {
    const aside = `${this.path}.unreadable`;
    await this.#options.platform.files.rename(this.path, aside).catch(() => {});
    return aside;
  }
}
