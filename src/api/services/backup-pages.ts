import { randomUUID } from "node:crypto";
import type { BackupListing } from "../../backup/listing.js";
import { limits } from "../../limits.js";
import { badPageToken, readPageToken, writePageToken } from "../convert/page-token.js";

const listing = "backups";

/** A listing that a client asked for. */
export interface ListingRequest {
  uri: string;
  recursive: boolean;
  pageToken: string;
  pageSize: number;
}

interface Kept extends Pick<ListingRequest, "uri" | "recursive"> {
  listed: readonly BackupListing[];
  timer: NodeJS.Timeout;
}

/**
 * Pages of listings of backups. A listing reads all manifests of its destination, whose order depends on
 * all of them, so it is kept for its next pages for a while. A page after that lists anew.
 */
export class BackupPages {
  readonly #kept = new Map<string, Kept>();

  /** Returns a page. Throws PAGE_TOKEN_INVALID. */
  async page(
    request: ListingRequest,
    list: () => Promise<BackupListing[]>,
  ): Promise<{ listed: BackupListing[]; nextPageToken: string }> {
    const { uri, recursive } = request;
    const token = readPageToken(listing, request.pageToken);
    const [id = "", ...rest] = token?.split(" ") ?? [];
    const after = rest.join(" ");
    const kept = this.#kept.get(id);
    if (kept && (kept.uri !== uri || kept.recursive !== recursive)) throw badPageToken();
    const all = kept?.listed ?? (await list());
    const start = token === undefined ? 0 : all.findIndex((one) => keyOf(one) === after) + 1;
    if (token !== undefined && start === 0) throw badPageToken();
    const listed = pageOf(all, start, request.pageSize);
    const last = listed.at(-1);
    if (!last || start + listed.length >= all.length) {
      this.#forget(id);
      return { listed, nextPageToken: "" };
    }
    const next = this.#keep(id || randomUUID(), { uri, recursive, listed: all });
    return { listed, nextPageToken: writePageToken(listing, `${next} ${keyOf(last)}`) };
  }

  #keep(id: string, listed: Omit<Kept, "timer">): string {
    this.#forget(id);
    const timer = setTimeout(() => this.#kept.delete(id), limits.keptListingMs).unref();
    this.#kept.set(id, { ...listed, timer });
    const [oldest = id] = this.#kept.keys();
    if (this.#kept.size > limits.keptListings) this.#forget(oldest);
    return id;
  }

  #forget(id: string): void {
    clearTimeout(this.#kept.get(id)?.timer);
    this.#kept.delete(id);
  }
}

const keyOf = ({ uri, name }: BackupListing) => `${uri} ${name}`;

/** A page has at least one backup, however long its chain is. */
function pageOf(all: readonly BackupListing[], start: number, pageSize: number): BackupListing[] {
  const page: BackupListing[] = [];
  let segments = 0;
  for (const one of all.slice(start, start + pageSize)) {
    segments += one.backup?.segments.length ?? 0;
    if (page.length > 0 && segments > limits.listedSegments) break;
    page.push(one);
  }
  return page;
}
