import type { DocumentVersion } from "../document/document.js";
import { limits } from "../limits.js";

/** Bounds of a cache. Default: those of limits.ts. */
export interface DocumentCacheOptions {
  maxBytes?: number;
}

/** A version in memory, and whether it was read since it was last considered for removal. */
interface Kept {
  version: DocumentVersion;
  bytes: number;
  wasRead: boolean;
}

/** Reads of a link from storage; `isCurrent` turns false when a write begins meanwhile. */
interface Miss {
  readers: number;
  isCurrent: boolean;
}

/** Writes of a link under way, and whether two were at once: then the last to end may not be the latest. */
interface Writing {
  writers: number;
  overlap: boolean;
}

/**
 * The latest versions of the documents that were read lately, so that a read need not ask a thread. A document is left
 * out from the beginning of a write to its end: what a caller has seen, it never sees undone. For an index that no other
 * host writes.
 */
export class DocumentCache {
  /** In the order of their removal: one that was read gets a second chance, which costs a read less than its own order. */
  private readonly versions = new Map<string, Kept>();
  private bytes = 0;
  private readonly writing = new Map<string, Writing>();
  private readonly misses = new Map<string, Miss>();
  private readonly maxBytes: number;

  constructor({ maxBytes = limits.documentCacheBytes }: DocumentCacheOptions = {}) {
    this.maxBytes = maxBytes;
  }

  /** The latest version of a document if it is in memory. */
  peek(link: string): DocumentVersion | undefined {
    const found = this.versions.get(link);
    if (found === undefined) return undefined;
    found.wasRead = true;
    return found.version;
  }

  /** The latest version of a document; otherwise it is read by `read`, and kept. */
  read(
    link: string,
    read: () => Promise<DocumentVersion | undefined>,
  ): DocumentVersion | Promise<DocumentVersion | undefined> {
    return this.peek(link) ?? this.miss(link, read);
  }

  /** Runs a write of a document, which yields the new latest version, or undefined if it changed nothing. */
  async write(
    link: string,
    write: () => Promise<DocumentVersion | undefined>,
  ): Promise<DocumentVersion | undefined> {
    const missed = this.misses.get(link);
    if (missed) missed.isCurrent = false;
    const wasKept = this.drop(link);
    const writing = this.writing.get(link) ?? { writers: 0, overlap: false };
    writing.overlap ||= writing.writers > 0;
    writing.writers += 1;
    this.writing.set(link, writing);
    let written: DocumentVersion | undefined;
    try {
      written = await write();
      return written;
    } finally {
      writing.writers -= 1;
      if (writing.writers === 0) this.writing.delete(link);
      // What nobody reads is not kept.
      if (wasKept && written && !writing.overlap) this.keep(written);
    }
  }

  private async miss(
    link: string,
    read: () => Promise<DocumentVersion | undefined>,
  ): Promise<DocumentVersion | undefined> {
    if (this.writing.has(link)) return read();
    const miss = this.misses.get(link) ?? { readers: 0, isCurrent: true };
    miss.readers += 1;
    this.misses.set(link, miss);
    try {
      const version = await read();
      if (version && miss.isCurrent) this.keep(version);
      return version;
    } finally {
      miss.readers -= 1;
      if (miss.readers === 0) this.misses.delete(link);
    }
  }

  private keep(version: DocumentVersion): void {
    const bytes = bytesOf(version);
    // Its expiry is a write of which no caller knows.
    if (version.expirationTimeMicros > 0 || bytes > limits.cachedDocumentBytes) return;
    this.drop(version.link);
    this.versions.set(version.link, { version, bytes, wasRead: false });
    this.bytes += bytes;
    this.makeRoom();
  }

  /** Ends: a version that is passed over is removed the next time. */
  private makeRoom(): void {
    for (const [link, kept] of this.versions) {
      if (this.bytes <= this.maxBytes) break;
      if (kept.wasRead) {
        kept.wasRead = false;
        this.versions.delete(link);
        this.versions.set(link, kept);
      } else this.drop(link);
    }
  }

  /** Returns whether it was there. */
  private drop(link: string): boolean {
    const kept = this.versions.get(link);
    if (kept === undefined) return false;
    this.versions.delete(link);
    this.bytes -= kept.bytes;
    return true;
  }
}

/** Its body and its rendered text as V8 keeps them, and what surrounds them: one byte a character, or two. */
function bytesOf({ body, link, kind, owner }: DocumentVersion): number {
  const text = body.length + link.length + kind.length + owner.length;
  const isAscii = Buffer.byteLength(body) === body.length;
  return (body.length + text) * (isAscii ? 1 : 2) + 600;
}
