import type { Action, DocumentVersion } from "../../document/document.js";
import { exactInteger } from "../../document/integers.js";
import { joinMembers, parseMembers, scanMembers, type Members } from "../../document/members.js";
import { ownMembers } from "../../document/system-fields.js";
import { HostError } from "../../errors.js";
import type { DocumentHost } from "./document-host.js";

/** Query for versions of the documents of a factory. */
export interface VersionQuery {
  factoryPath: string;
  indexLink: string;
  /** All retained versions, including deletions, instead of the latest one of each document. */
  allVersions: boolean;
  /** Includes the latest version of deleted documents. */
  includeDeleted: boolean;
  /** Only versions from this time on, ordered by time. Default: all, in unspecified order. */
  fromMicros?: number;
  pageSize: number;
}

/** Fetches the pages of a query. Bodies contain the unchanged text sent by the host. */
export async function* versionPages(
  host: DocumentHost,
  query: VersionQuery,
  signal: AbortSignal,
): AsyncGenerator<DocumentVersion[]> {
  const body = { type: "application/json", content: JSON.stringify(taskOf(query)) };
  let answer = await host.ask("POST", "/core/query-tasks", signal, body);
  for (;;) {
    const results = resultsOf(answer, host);
    yield versionsOf(results, host);
    const next = textOf(results.get("nextPageLink"));
    if (next === undefined) return;
    answer = await host.ask("GET", next, signal);
  }
}

function taskOf({
  factoryPath,
  indexLink,
  allVersions,
  includeDeleted,
  fromMicros,
  pageSize,
}: VersionQuery) {
  const options = [
    "EXPAND_CONTENT",
    ...(allVersions ? ["INCLUDE_ALL_VERSIONS"] : []),
    ...(includeDeleted ? ["INCLUDE_DELETED"] : []),
  ];
  const ofFactory = {
    occurance: "MUST_OCCUR",
    term: { propertyName: "documentSelfLink", matchType: "PREFIX", matchValue: `${factoryPath}/` },
  };
  if (fromMicros === undefined)
    return {
      taskInfo: { isDirect: true },
      indexLink,
      querySpec: { options, resultLimit: pageSize, query: { booleanClauses: [ofFactory] } },
    };
  const since = {
    occurance: "MUST_OCCUR",
    term: {
      propertyName: "documentUpdateTimeMicros",
      range: { type: "LONG", min: fromMicros, isMinInclusive: true },
    },
  };
  return {
    taskInfo: { isDirect: true },
    indexLink,
    querySpec: {
      options: [...options, "SORT"],
      resultLimit: pageSize,
      sortTerm: { propertyName: "documentUpdateTimeMicros", propertyType: "LONG" },
      sortOrder: "ASC",
      query: { booleanClauses: [ofFactory, since] },
    },
  };
}

function resultsOf(text: string, host: DocumentHost): Members {
  const task = parseMembers(text);
  const stage = textOf(scanMembers(task.get("taskInfo") ?? "{}").get("stage"));
  const results = task.get("results");
  if (stage === "FINISHED" && results?.startsWith("{")) return scanMembers(results);
  const failure = textOf(
    scanMembers(scanMembers(task.get("taskInfo") ?? "{}").get("failure") ?? "{}").get("message"),
  );
  throw new HostError(
    "DESTINATION_REFUSED",
    `Query on ${host.url} did not finish (stage ${String(stage)}${failure === undefined ? "" : `: ${failure}`}).`,
  );
}

function versionsOf(results: Members, host: DocumentHost): DocumentVersion[] {
  const documents = scanMembers(results.get("documents") ?? "{}");
  const links = JSON.parse(results.get("documentLinks") ?? "[]") as string[];
  return links.map((link) => {
    const raw = documents.get(link);
    if (raw === undefined)
      throw new HostError(
        "DESTINATION_REFUSED",
        `Incomplete query result from ${host.url}: ${link} is listed but missing.`,
      );
    return versionOf(raw, host);
  });
}

const actions = new Set(["POST", "PATCH", "PUT", "DELETE"]);

function versionOf(raw: string, host: DocumentHost): DocumentVersion {
  const members = scanMembers(raw);
  const text = (name: string) => textOf(members.get(name)) ?? "";
  const number = (name: string) => {
    const value = exactInteger(members.get(name) ?? "0");
    if (value === undefined || value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER))
      throw invalidDocument(
        host,
        text("documentSelfLink"),
        `invalid ${name} ${String(members.get(name)).slice(0, 40)}`,
      );
    return Number(value);
  };
  const link = text("documentSelfLink");
  const action = text("documentUpdateAction") || "POST";
  if (!link.startsWith("/")) throw invalidDocument(host, link, "no documentSelfLink");
  if (!actions.has(action))
    throw invalidDocument(host, link, `unknown action ${action.slice(0, 40)}`);
  return {
    link,
    version: number("documentVersion"),
    updateTimeMicros: number("documentUpdateTimeMicros"),
    action: action as Action,
    kind: text("documentKind"),
    owner: text("documentOwner"),
    expirationTimeMicros: number("documentExpirationTimeMicros"),
    body: bodyOf(members, host, link),
  };
}

/** Throws for a body that cannot be stored; skipping it would go unnoticed in the comparison. */
function bodyOf(members: Members, host: DocumentHost, link: string): string {
  try {
    return joinMembers(ownMembers(members));
  } catch (thrown) {
    if (!(thrown instanceof HostError)) throw thrown;
    throw new HostError(
      "DESTINATION_REFUSED",
      `Cannot import ${link.slice(0, 200)} of ${host.url}: ${thrown.message}`,
      { cause: thrown, metadata: thrown.metadata },
    );
  }
}

function invalidDocument(host: DocumentHost, link: string, what: string): HostError {
  return new HostError(
    "DESTINATION_REFUSED",
    `Cannot import ${link.slice(0, 200)} of ${host.url}: it has ${what}.`,
  );
}

function textOf(raw: string | undefined): string | undefined {
  return raw?.startsWith('"') ? (JSON.parse(raw) as string) : undefined;
}
