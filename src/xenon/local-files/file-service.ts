import type { FileStatus } from "../../io/file-system.js";
import type { OpenOption } from "./open-options.js";
import type { Span } from "./spans.js";

/** A file that can be written and read under a link: Xenon's LocalFileService. */
export interface FileService {
  link: string;
  /** As it was given. */
  localFileUri: string;
  fileOptions: readonly OpenOption[];
  writeFinished: boolean;
  /** From 0; grows with each change, also with each PUT. */
  version: number;
  updateTimeMicros: number;
  /** What changed it last; undefined while nothing has. */
  action?: "PUT" | "PATCH" | "DELETE";
  /** The upload that goes on, or the last one that was complete. */
  upload?: { totalBytes?: number; received: readonly Span[]; complete: boolean };
}

/** Where the body of a PUT belongs. */
export type Place =
  /** At `start` of a file of `total` bytes; the body has one of the lengths, in bytes, the greater one last. */
  (
    | { start: number; total: number; lengths: readonly number[] }
    /** The whole file; its size where it is known before. */
    | { total?: number }
  ) & {
    /** Of the whole file, in lower-case hexadecimal: the sender knows it before, and what came is compared with it when all is there. */
    sha256?: string;
  };

export interface NewFileService {
  link?: string;
  localFileUri: string;
  fileOptions: readonly string[];
}

/** A file as it was when it was opened, whatever takes its name meanwhile. */
export interface ReadableFile {
  status: FileStatus;
  /** The bytes from `offset` to before `end`, a piece at a time. */
  bytes(offset: number, end: number, signal: AbortSignal): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

/** The files of a host that others may write to and read. Links are below /local-files; DOCUMENT_NOT_FOUND for an unknown one. */
export interface FileStore {
  /** Checks the URI and the roots; the file itself is looked at by the first write or read. */
  create(request: NewFileService): Promise<FileService>;
  get(link: string): FileService;
  /** By link. */
  list(): FileService[];
  finish(link: string, writeFinished: boolean): Promise<FileService>;
  /** Forgets the service and what of an upload has come; the file stays. */
  delete(link: string): Promise<FileService>;
  /**
   * Takes a part of the file, or all of it. When the last byte of it is there the file is replaced at once and durably;
   * until then it is what it was. A body that ends early counts nothing. `open` is asked for the bytes once, with a signal
   * that aborts when they are not wanted any more.
   */
  write(
    link: string,
    place: Place,
    open: (signal: AbortSignal) => AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<FileService>;
  /** BACKUP_NOT_FOUND where there is no such file. */
  read(link: string): Promise<ReadableFile>;
  close(): Promise<void>;
}
