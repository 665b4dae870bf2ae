import { runInChild } from "../io/child-process.js";

/** Work on archives for a child process, so that it does not use memory and time of the host. */
export type ZipCall =
  | {
      /** Writes, syncs and verifies a new archive. */
      kind: "pack";
      path: string;
      store: boolean;
      /** The time of all entries, in milliseconds since 1970. */
      modifiedMs: number;
      segments: PackedSegment[];
      /** Files after the segments: the signature of the manifest, if any, and the manifest. */
      last: SmallFile[];
    }
  | {
      /** Copies entries to new files and checks their sizes and CRCs. */
      kind: "extract";
      path: string;
      segments: { name: string; sizeBytes: number; target: string }[];
    }
  | {
      /** Verifies any ZIP archive; or any file, if a SHA-256 in lower-case hexadecimal is given. */
      kind: "check";
      path: string;
      sha256?: string;
    };

/** A small file to pack. */
export interface SmallFile {
  name: string;
  sha256: string;
  bytes: Uint8Array;
}

/** A segment to pack. */
export interface PackedSegment {
  name: string;
  sizeBytes: number;
  sha256: string;
  path: string;
}

/** Result of a ZipCall. */
export interface ZipOutcome {
  /** Size of the archive or file, or of the extracted entries. */
  sizeBytes: number;
  /** SHA-256 of a packed archive in lower-case hexadecimal. */
  sha256?: string;
}

/**
 * Runs a call in a child process. `onBytes` receives the number of processed bytes of the segments
 * since the last call. Throws BACKUP_DAMAGED for an invalid archive.
 */
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
