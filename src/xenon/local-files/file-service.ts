import type { FileStatus } from "../../io/file-system.js";
import type { OpenOption } from "./open-options.js";
import type { Span } from "./spans.js";

/** A file that can be written and read by a link: Xenon's LocalFileService. */
export interface FileService {
  link: string;
  /** URI as specified by the client. */
  localFileUri: string;
  fileOptions: readonly OpenOption[];
  writeFinished: boolean;
  /** Starts at 0 and increases with each change, including each PUT. */
  version: number;
  updateTimeMicros: number;
  /** Last change, undefined initially. */
  action?: "PUT" | "PATCH" | "DELETE";
  /** The current upload, or the last complete one. */
  upload?: { totalBytes?: number; received: readonly Span[]; complete: boolean };
}

/** Range of the file that the body of a PUT covers. */
export type UploadRange =
  /**
   * At `start` of a file of `total` bytes. The body has one of the given lengths, in ascending
   * order.
   */
  (
    | { start: number; total: number; lengths: readonly number[] }
    /** The whole file, with its size if known. */
    | { total?: number }
  ) & {
    /**
     * SHA-256 of the whole file in lower-case hexadecimal, if announced; verified when the upload
     * is complete.
     */
    sha256?: string;
  };

/** Request to create a file service. */
export interface NewFileService {
  link?: string;
  localFileUri: string;
  fileOptions: readonly string[];
}

/** An open file; unaffected if another file replaces it. */
export interface ReadableFile {
  status: FileStatus;
  /** Reads the bytes from `offset` up to but excluding `end` in chunks. */
  bytes(offset: number, end: number, signal: AbortSignal): AsyncIterable<Buffer>;
  /** Closes the file. */
  close(): Promise<void>;
}

/**
 * The file services of a host. Links are below /local-files; unknown ones throw DOCUMENT_NOT_FOUND.
 */
export interface FileStore {
  /**
   * Creates a service. Checks the URI against the roots; the file itself is first accessed by a
   * write or read.
   */
  create(request: NewFileService): Promise<FileService>;
  /** Returns a service. */
  get(link: string): FileService;
  /** Lists the services, sorted by link. */
  list(): FileService[];
  /** Sets writeFinished. Throws TRANSFER_INCOMPLETE during an upload. */
  finish(link: string, writeFinished: boolean): Promise<FileService>;
  /** Deletes the service and its partial upload. The file remains. */
  delete(link: string): Promise<FileService>;
  /**
   * Receives a part of the file or all of it. When the upload is complete, the file is replaced
   * atomically and durably; until then it is unchanged. An incomplete body is discarded. `open` is
   * called once for the bytes, with a signal that aborts when they are no longer needed.
   */
  write(
    link: string,
    place: UploadRange,
    open: (signal: AbortSignal) => AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<FileService>;
  /** Opens the file for reading. Throws BACKUP_NOT_FOUND if it does not exist. */
  read(link: string): Promise<ReadableFile>;
  /** Drops partial uploads and stops background work. */
  close(): Promise<void>;
}
