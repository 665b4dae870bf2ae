import type { FileSystem, OpenFile } from "../../io/file-system.js";
import { limits } from "../../limits.js";
import { createSpans, type Span, type Spans } from "./spans.js";

/** The file that an upload will replace. */
export interface PublishedFile {
  path: string;
  version: string;
}

/**
 * Parts of an upload that may be repeated parts of the previous upload: those received before any
 * part that differs from the published file. They may also belong to a new file that has them in
 * common; only later parts can tell.
 */
export interface Repetition {
  /** Whether everything received so far equals the published file. */
  readonly only: boolean;
  /** The received parts that equal the published file. */
  readonly parts: Spans;
  /** Compares a received part with the published file. */
  note(file: OpenFile, part: Span): Promise<void>;
}

/**
 * Creates a detector. `published` is undefined if the published file has another size or does not
 * exist.
 */
export function detectRepetition(
  files: FileSystem,
  published: PublishedFile | undefined,
): Repetition {
  const parts = createSpans();
  let only = published !== undefined;

  async function isPublished(
    file: OpenFile,
    { start, end }: Span,
    { path, version }: PublishedFile,
  ): Promise<boolean> {
    const current = await files.openToRead(path);
    try {
      if ((await current.status()).version !== version) return false;
      const [one, other] = [
        Buffer.allocUnsafe(limits.fileReadBytes),
        Buffer.allocUnsafe(limits.fileReadBytes),
      ];
      for (let at = start; at < end; at += one.length) {
        const length = Math.min(one.length, end - at);
        const [received, existing] = [one.subarray(0, length), other.subarray(0, length)];
        const counts = await Promise.all([file.read(received, at), current.read(existing, at)]);
        if (counts.some((count) => count < length) || !received.equals(existing)) return false;
      }
      return true;
    } finally {
      await current.close();
    }
  }

  return {
    get only() {
      return only;
    },
    parts,
    async note(file, part) {
      if (!only || !published) return;
      // Parts that cannot be compared count as different.
      if (await isPublished(file, part, published).catch(() => false)) parts.add(part);
      else only = false;
    },
  };
}
