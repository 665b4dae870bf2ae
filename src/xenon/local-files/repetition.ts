import type { FileSystem, OpenFile } from "../../io/file-system.js";
import { limits } from "../../limits.js";
import { createSpans, type Span, type Spans } from "./spans.js";

/** The file that an upload is going to replace, and its version. */
export interface PublishedFile {
  path: string;
  version: string;
}

/**
 * Which parts of an upload may be the last one's, sent again: those that came before any that differed from what is published.
 * They may as well be the beginning of another file that has them in common with it; only what comes after them tells.
 */
export interface Repetition {
  /** Nothing came that is not published already. */
  readonly only: boolean;
  readonly parts: Spans;
  /** Takes note of a part that came. */
  note(file: OpenFile, part: Span): Promise<void>;
}

/** `published` is absent where what came last had another size, or nothing came yet. */
export function watchRepetition(
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
    const before = await files.openToRead(path);
    try {
      if ((await before.status()).version !== version) return false;
      const [one, other] = [
        Buffer.allocUnsafe(limits.fileReadBytes),
        Buffer.allocUnsafe(limits.fileReadBytes),
      ];
      for (let at = start; at < end; at += one.length) {
        const length = Math.min(one.length, end - at);
        const [came, there] = [one.subarray(0, length), other.subarray(0, length)];
        const counts = await Promise.all([file.read(came, at), before.read(there, at)]);
        if (counts.some((count) => count < length) || !came.equals(there)) return false;
      }
      return true;
    } finally {
      await before.close();
    }
  }

  return {
    get only() {
      return only;
    },
    parts,
    async note(file, part) {
      if (!only || !published) return;
      // What cannot be compared is taken for something else.
      if (await isPublished(file, part, published).catch(() => false)) parts.add(part);
      else only = false;
    },
  };
}
