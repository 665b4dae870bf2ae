import type { DocumentVersion } from "../document/document.js";
import { limits } from "../limits.js";

/** Bounds of a cache. Default: those of limits.ts. */
export interface DocumentCacheOptions {
  maxBytes?: number;
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
  /** The least recently used first. */
  private readonly versions = new Map<string, DocumentVersion>();
  private bytes = 0;
  private readonly writing = new Map<string, Writing>();
  private readonly misses = new Map<string, Miss>();
  private readonly maxBytes: number;

  constructor({ maxBytes = limits.documentCacheBytes }: DocumentCacheOptions = {}) {
    this.maxBytes = maxBytes;
  }

  /** The latest version of a document; otherwise it is read by `read`, and kept. */
  read(
    link: string,
    read: () => Promise<DocumentVersion | undefined>,
  ): DocumentVersion | Promise<DocumentVersion | undefined> {
    const found = this.versions.get(link);
    if (found === undefined) return this.miss(link, read);
    this.versions.delete(link);
    this.versions.set(link, found);
    return found;
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
    const size = sizeOf(version);
    // Its expiry is a write of which no caller knows.
    if (version.expirationTimeMicros > 0 || size > limits.cachedDocumentBytes) return;
    this.drop(version.link);
    this.versions.set(version.link, version);
    this.bytes += size;
    for (const link of this.versions.keys()) {
      if (this.bytes <= this.maxBytes) break;
      this.drop(link);
    }
  }

  /** Returns whether it was there. */
  private drop(link: string): boolean {
    const version = this.versions.get(link);
    if (version === undefined) return false;
    this.versions.delete(link);
    this.bytes -= sizeOf(version);
    return true;
  }
}

/** Its texts as V8 keeps them at most, and what surrounds them, in bytes. */
const sizeOf = ({ body, link, kind, owner }: DocumentVersion) =>
  2 * (body.length + link.length + kind.length + owner.length) + 300;
