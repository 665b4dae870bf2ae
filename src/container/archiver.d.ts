import type { Readable, Writable } from "node:stream";

/** How archiver defines formats: a subclass sets a module. The types of the package lack it. */
declare module "archiver" {
  /** An entry as archiver passes it to a module, with all defaults. */
  interface ModuleEntry {
    name: string;
    date: Date | string;
    mode: number;
    store?: boolean;
  }

  /** Writes entries in a format. archiver appends one after the other. */
  interface ArchiveModule {
    append(
      source: Readable | Buffer,
      entry: ModuleEntry,
      appended: (error: Error | null) => void,
    ): void;
    finalize(): void;
    on(event: string, listener: (...given: unknown[]) => void): void;
    pipe(target: Writable): void;
    unpipe(target: Writable): void;
  }

  interface Archiver {
    _format: string;
    _module: ArchiveModule;
    /** Starts to read the bytes of the module. */
    _modulePipe(): void;
  }
}
