import type { Answerer, RequestTarget } from "../../transport/http/answerer.js";
import { transferPrefix } from "../../transport/rest/transfer-routes.js";
import { localFilePrefix } from "./local-file-routes.js";
import { pagePrefix } from "./query-task-routes.js";

/**
 * Returns the function that says which host answers a request of the Xenon API, or of an archive as plain HTTP;
 * undefined: each can. Tasks of /core/local-query-tasks are, by their name, those of the host that is asked.
 */
export function answererOf(
  indexLinks: readonly string[],
): (request: RequestTarget) => Answerer | undefined {
  const backupServices = new Set(indexLinks.map((link) => `${link}-backup`));
  return ({ method, path, query }) => {
    if (path.startsWith(pagePrefix)) {
      const hostId = new URLSearchParams(query).get("peer");
      return hostId === null ? undefined : { hostId };
    }
    const isLeaders =
      (path === "/core/management" && method === "PATCH") ||
      backupServices.has(path) ||
      isBelow(path, "/core/query-tasks") ||
      isBelow(path, localFilePrefix.slice(0, -1)) ||
      path.startsWith(transferPrefix);
    return isLeaders ? "leader" : undefined;
  };
}

const isBelow = (path: string, prefix: string) => path === prefix || path.startsWith(`${prefix}/`);
