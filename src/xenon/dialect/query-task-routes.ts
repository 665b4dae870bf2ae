import type { IncomingMessage, ServerResponse } from "node:http";
import { HostError } from "../../errors.js";
import { decodeToken, encodeToken } from "../../io/opaque-token.js";
import { limits } from "../../limits.js";
import {
  isPaged,
  queryTaskFactories,
  type QueryTask,
  type QueryTaskFactory,
  type QueryTasks,
} from "../query/query-tasks.js";
import { readText } from "../../transport/http/body.js";
import { sendJson } from "../../transport/http/respond.js";
import type { HttpHandler } from "../../transport/http/handler.js";
import type { DialectAccess } from "./access.js";
import { emptyResults, sendResults } from "./query-results.js";
import { readCancellation, readQueryTask } from "./query-task-request.js";
import { taskText } from "./query-task-text.js";
import { parametersOf, refuseMethod, requireJsonBody, targetOf } from "./request-parts.js";

/** Dependencies of createQueryTaskRoutes. */
export interface QueryTaskRoutes {
  queries: QueryTasks;
  hostId: string;
  access: DialectAccess;
}

/** Path prefix of pages of results. */
export const pagePrefix = "/core/query-page/";

/**
 * Serves query tasks and the pages of their results with the paths and responses of Xenon. Requires
 * the role read.
 */
export function createQueryTaskRoutes({ queries, hostId, access }: QueryTaskRoutes): HttpHandler {
  return async (request, response, signal) => {
    const { path, query } = targetOf(request.url ?? "");
    const factory = queryTaskFactories.find((one) => path === one || path.startsWith(`${one}/`));
    if (factory !== undefined && path.length <= factory.length + 1)
      await onTasks(request, response, factory, query, signal);
    else if (factory !== undefined) await onTask(request, response, path, signal);
    else if (path.startsWith(pagePrefix)) await onPage(request, response, path, signal);
    else return false;
    return true;
  };

  async function onTasks(
    request: IncomingMessage,
    response: ServerResponse,
    factory: QueryTaskFactory,
    query: string,
    signal: () => AbortSignal,
  ): Promise<void> {
    if (request.method !== "GET" && request.method !== "POST") refuseMethod(request, "GET, POST");
    access.requireRole(request, "read");
    if (request.method === "GET") {
      const expand = parametersOf(query).get("expand") ?? parametersOf(query).get("$expand");
      sendJson(
        response,
        200,
        listText(factory, expand !== undefined && expand !== "false", (task) =>
          access.mayUse(request, task.indexLink),
        ),
      );
      return;
    }
    requireJsonBody(request);
    const parsed = readQueryTask(factory, await readText(request, limits.queryBodyBytes));
    access.requireIndexes(request, [parsed.request.indexLink]);
    const client = access.clientOf(request);
    const queryRequest = { ...parsed.request, ...(client && { client }) };
    if (parsed.direct)
      await sendTask(await queries.run(queryRequest, signal()), "direct", response, signal());
    else sendJson(response, 202, whole(queries.start(queryRequest)));
  }

  async function onTask(
    request: IncomingMessage,
    response: ServerResponse,
    link: string,
    signal: () => AbortSignal,
  ): Promise<void> {
    if (request.method !== "GET" && request.method !== "PATCH" && request.method !== "DELETE")
      refuseMethod(request, "GET, PATCH, DELETE");
    access.requireRole(request, "read");
    if (access.isLimited(request)) access.requireIndexes(request, [queries.paged(link).indexLink]);
    if (request.method === "GET") await sendTask(queries.get(link), "stored", response, signal());
    else if (request.method === "DELETE") {
      queries.remove(link);
      sendJson(response, 200, "");
    } else {
      requireJsonBody(request);
      const failure = readCancellation(await readText(request, limits.queryBodyBytes));
      sendJson(response, 200, whole(queries.cancel(link, failure)));
    }
  }

  /** Sends a task, with its results if it has any. */
  async function sendTask(
    task: QueryTask,
    how: "direct" | "stored",
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const { query, specification, count } = task;
    if (query === undefined || task.stage !== "FINISHED") {
      sendJson(response, 200, whole(task));
      return;
    }
    const text = () => taskText(task, how, hostId);
    if (!specification.options.has("COUNT") && !isPaged(specification)) {
      const limit = specification.resultLimit;
      await sendResults({
        query,
        specification,
        text,
        hostId,
        response,
        signal,
        ...(limit !== undefined && { limit }),
      });
      return;
    }
    const { head, tail } = text();
    const counted = specification.options.has("COUNT");
    const firstPage = counted || count === 0 ? undefined : pageLink(task.link);
    sendJson(
      response,
      200,
      `${head}${emptyResults(counted ? (count ?? 0) : 0, firstPage, specification.options.has("EXPAND_CONTENT"), hostId)}${tail}`,
    );
  }

  async function onPage(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    signal: () => AbortSignal,
  ): Promise<void> {
    if (request.method !== "GET") refuseMethod(request, "GET");
    access.requireRole(request, "read");
    const { task: name, cursor } = readPageName(path.slice(pagePrefix.length));
    const task = queries.paged(name);
    access.requireIndexes(request, [task.indexLink]);
    const { query, specification } = task;
    const { resultLimit: limit } = specification;
    if (query === undefined || limit === undefined)
      throw new HostError("PAGE_TOKEN_INVALID", "This query has no pages.");
    await sendResults({
      query,
      specification,
      limit,
      nextPageLink: (next) => pageLink(name, next),
      text: () => taskText({ ...task, stage: "FINISHED", version: 0 }, "page", hostId, path),
      hostId,
      response,
      signal: signal(),
      ...(cursor !== undefined && { cursor }),
    });
  }

  function whole(task: QueryTask): string {
    const { head, tail } = taskText(task, "stored", hostId);
    return head + tail;
  }

  function listText(
    factory: QueryTaskFactory,
    expand: boolean,
    mayRead: (task: QueryTask) => boolean,
  ): string {
    const tasks = queries.list(factory).filter(mayRead);
    const link = (task: QueryTask) => JSON.stringify(task.link);
    const documents = expand
      ? `,"documents":{${tasks.map((task) => `${link(task)}:${whole(task)}`).join(",")}}`
      : "";
    return (
      `{"documentLinks":[${tasks.map(link).join(",")}]${documents},"documentCount":${tasks.length},"documentVersion":0` +
      `,"documentUpdateTimeMicros":0,"documentExpirationTimeMicros":0,"documentOwner":${JSON.stringify(hostId)}}`
    );
  }

  function pageLink(task: string, cursor?: string): string {
    const name = encodeToken(cursor === undefined ? [task] : [task, cursor]);
    return `${pagePrefix}${name}?peer=${hostId}`;
  }
}

/** Parses the name of a page. Throws PAGE_TOKEN_INVALID. */
function readPageName(name: string): { task: string; cursor?: string } {
  const parts = decodeToken(name);
  if (!parts || parts.length > 2 || !parts.every((part) => typeof part === "string")) {
    throw new HostError(
      "PAGE_TOKEN_INVALID",
      "Invalid page link: it was not created by this host. Run the query again.",
    );
  }
  const [task = "", cursor] = parts;
  return { task, ...(cursor !== undefined && { cursor }) };
}
