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
