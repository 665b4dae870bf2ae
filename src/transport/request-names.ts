import type { RequestName } from "../service/host/requests.js";
import type { BoundService } from "../api/call/bound-service.js";
import { healthPath } from "./http/health-check.js";
import { metricsPath } from "./http/metrics.js";
import { exportPath, importPath } from "./rest/document-streams.js";
import { operationRules } from "./rest/operation-rules.js";
import { createRouter, type Router } from "./rest/router.js";
import { rulesOf } from "./rest/rules.js";
import { transferPrefix } from "./rest/transfer-routes.js";

/** Fixed paths of the Xenon API, in addition to factories and indexes. */
export const xenonPaths = [
  "/core/management",
  "/core/management/stats",
  "/core/query-tasks",
  "/core/query-page",
  "/core/operation-index",
];

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const fixed = new Set([healthPath, metricsPath, "/v1/openapi.json", importPath, exportPath]);
const filesPath = "/local-files";

/** Options of requestNames. */
export interface RequestNamesOptions {
  services: readonly BoundService[];
  /** Paths of the Xenon API. Requests below one of them are named PATH/{name}. */
  xenonPaths: readonly string[];
}

/**
 * Returns a function that names requests on the HTTP port for metrics. The set of names is bounded.
 */
export function requestNames({
  services,
  xenonPaths,
}: RequestNamesOptions): (method: string, url: string) => RequestName {
  const known = new Set(xenonPaths);
  const specs = services.flatMap(({ methods }) =>
    Object.values(methods).map(({ method }) => ({
      method,
      rpc: `${method.parent.typeName}/${method.name}`,
    })),
  );
  const rpcs = new Set(specs.map(({ rpc }) => rpc));
  const route: Router<string> = createRouter(
    specs.flatMap(({ method, rpc }) =>
      rulesOf(method, operationRules).map((rule) => ({ ...rule, target: rpc })),
    ),
  );

  return (givenMethod, url) => {
    const query = url.indexOf("?");
    const path = query < 0 ? url : url.slice(0, query);
    const method = methods.has(givenMethod) ? givenMethod : "OTHER";
    if (rpcs.has(path.slice(1))) return { protocol: "connect", method: path.slice(1) };
    if (fixed.has(path))
      return { protocol: path.startsWith("/v1/") ? "rest" : "other", method: `${method} ${path}` };
    if (path.startsWith(`${filesPath}/`) || path === filesPath)
      return {
        protocol: "files",
        method: `${method} ${filesPath}${path.length > filesPath.length + 1 ? "/{name}" : ""}`,
      };
    if (path.startsWith("/v1/"))
      return {
        protocol: "rest",
        method: transferName(method, path) ?? rpcOf(route, method, path) ?? `${method} unknown`,
      };
    const template = templateOf(known, path);
    return template === undefined
      ? { protocol: "other", method: `${method} unknown` }
      : { protocol: "xenon", method: `${method} ${template}` };
  };
}

function transferName(method: string, path: string): string | undefined {
  if (!path.startsWith(transferPrefix)) return undefined;
  if (path.endsWith(":download")) return `${method} ${transferPrefix}{name}:download`;
  return method === "PUT" ? `PUT ${transferPrefix}{name}` : undefined;
}

function rpcOf(route: Router<string>, method: string, path: string): string | undefined {
  try {
    return route(method, path).route.target;
  } catch {
    // The handler reports unknown routes to the client.
    return undefined;
  }
}

/** Returns the path itself if known, else its closest known ancestor. */
function templateOf(known: ReadonlySet<string>, path: string): string | undefined {
  if (known.has(path)) return path;
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    const parent = path.slice(0, end);
    if (known.has(parent)) return end === path.length - 1 ? parent : `${parent}/{name}`;
  }
  return undefined;
}
