import { runInChild } from "../io/child-process.js";

/** The work on archives that is done in a process of its own: neither its memory nor its time is the host's. */
export type ZipCall =
  | {
      /** Writes a new archive, syncs it and reads it back. */
      kind: "pack";
      path: string;
      store: boolean;
      /** The time of all entries, in milliseconds since 1970. */
      modifiedMs: number;
      segments: PackedSegment[];
      manifest: { name: string; sha256: string; bytes: Uint8Array };
    }
  | {
      /** Copies entries into new files; sizes and the archive's own checksums must agree. */
      kind: "extract";
      path: string;
      segments: { name: string; sizeBytes: number; target: string }[];
    }
  | {
      /** Reads any ZIP through; or any file, whose SHA-256 in lower-case hexadecimal must be the one given. */
      kind: "check";
      path: string;
      sha256?: string;
    };

export interface PackedSegment {
  name: string;
  sizeBytes: number;
  sha256: string;
  path: string;
}

export interface ZipOutcome {
  /** The size of the archive or file, or of what was extracted. */
  sizeBytes: number;
  /** The SHA-256 of a packed archive in lower-case hexadecimal. */
  sha256?: string;
}

/** `onBytes` hears how many bytes of the segments are done, and in the end of all of them. */
export function runZip(
  call: ZipCall,
  signal: AbortSignal,
  onBytes?: (count: number) => void,
): Promise<ZipOutcome> {
  return runInChild<ZipCall, ZipOutcome, number>("container/zip-process", call, {
    signal,
    nodeArguments: ["--expose-gc"],
    ...(onBytes && { onProgress: onBytes }),
  });
}
