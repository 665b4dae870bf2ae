import type { DocumentVersion } from "../../src/document/document.js";
import { applyMerge } from "../../src/document/merge.js";
import type { DocumentStore, PageQuery } from "../../src/engine/engine.js";
import { HostError } from "../../src/errors.js";
import { fieldOf, matches } from "./match-filter.js";

/** An index in a map, as simple as its contract allows, for tests of the layers above the engine. */
export function createFakeStore(
  firstTimeMicros = 1_795_348_034_673_000,
): DocumentStore & { log: DocumentVersion[]; largestPage: number } {
  const log: DocumentVersion[] = [];
  const byLink = new Map<string, DocumentVersion[]>();
  let time = firstTimeMicros;
  const latest = (link: string, at = Infinity) =>
    byLink.get(link)?.findLast((one) => one.updateTimeMicros <= at);

  function select(query: Omit<PageQuery, "limit" | "expand">, at: number): DocumentVersion[] {
    const links = [...byLink.keys()].filter((link) => link.startsWith(query.linkPrefix)).sort();
    const found = (
      query.allVersions
        ? log.filter((one) => one.updateTimeMicros <= at)
        : links.map((link) => latest(link, at))
    )
      .filter((one) => one !== undefined)
      .filter((one) => query.allVersions || query.includeDeleted || one.action !== "DELETE")
      .filter((one) => query.filter === undefined || matches(one, query.filter));
    for (const { field, descending } of [...(query.orderBy ?? [])].reverse()) {
      found.sort((a, b) => {
        const [x, y] = [fieldOf(a, field) as string | number, fieldOf(b, field) as string | number];
        return (x < y ? -1 : x > y ? 1 : 0) * (descending ? -1 : 1);
      });
    }
    return found;
  }

  const store = {
    log,
    largestPage: 0,
    async write(write: Parameters<DocumentStore["write"]>[0]) {
      const { link } = write;
      const old = latest(link);
      if (write.action === "POST") {
        if (old !== undefined && old.action !== "DELETE") {
          throw new HostError("DOCUMENT_EXISTS", `Document ${link} already exists`, {
            metadata: { link },
          });
        }
        if (old !== undefined && !write.revive)
          throw new HostError("DOCUMENT_MARKED_DELETED", `Service marked deleted: ${link}`);
      } else {
        if (old === undefined)
          throw new HostError("DOCUMENT_NOT_FOUND", `Document ${link} not found`);
        if (old.action === "DELETE") {
          if (write.action === "DELETE") return undefined;
          throw new HostError("DOCUMENT_DELETED", `Document ${link} not found`);
        }
      }
      if (write.expectedVersion !== undefined && write.expectedVersion !== old?.version) {
        throw new HostError(
          "VERSION_MISMATCH",
          `${link} is at version ${old?.version}, not ${write.expectedVersion}.`,
        );
      }
      const keeps = write.action === "PATCH" || write.action === "DELETE";
      const version: DocumentVersion = {
        link,
        version: old === undefined ? 0 : old.version + 1,
        updateTimeMicros: (time += 1),
        action: write.action,
        kind: write.kind,
        owner: write.owner,
        expirationTimeMicros:
          write.expirationTimeMicros ?? (keeps ? (old?.expirationTimeMicros ?? 0) : 0),
        body:
          write.action === "DELETE"
            ? (old?.body ?? "{}")
            : write.action === "PATCH"
              ? applyMerge(write.mergeRule, old?.body ?? "{}", write.body)
              : write.body,
      };
      log.push(version);
      byLink.set(link, [...(byLink.get(link) ?? []), version]);
      return version;
    },
    async read(link: string, at: { version?: number; atMicros?: number } = {}) {
      if (at.version !== undefined)
        return byLink.get(link)?.find((one) => one.version === at.version);
      return latest(link, at.atMicros);
    },
    async page(query: PageQuery) {
      const cursor =
        query.cursor === undefined
          ? { at: query.atMicros ?? time, skip: 0 }
          : (JSON.parse(query.cursor) as { at: number; skip: number });
      const found = select(query, cursor.at).slice(cursor.skip);
      store.largestPage = Math.max(store.largestPage, query.limit);
      const documents = found
        .slice(0, query.limit)
        .map((one) => (query.expand ? one : { ...one, body: "" }));
      const more = found.length > documents.length;
      return {
        documents,
        ...(more && {
          cursor: JSON.stringify({ at: cursor.at, skip: cursor.skip + documents.length }),
        }),
      };
    },
    async count(query: Parameters<DocumentStore["count"]>[0]) {
      return select(query, query.atMicros ?? time).length;
    },
    async versions(link: string, limit: number, before = Infinity) {
      return (byLink.get(link) ?? [])
        .filter((one) => one.version < before)
        .reverse()
        .slice(0, limit);
    },
    async state() {
      return {
        indexId: "index",
        lineage: "lineage",
        parents: [],
        formatVersion: 1,
        positionMicros: time,
        documents: select({ linkPrefix: "/" }, time).length,
        versions: log.length,
        sizeBytes: 4096,
        window: {
          earliestMicros: firstTimeMicros,
          latestMicros: time,
          historyStartMicros: firstTimeMicros,
        },
      };
    },
  };
  return store;
}
