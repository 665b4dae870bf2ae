import type { RequestName } from "../service/host/requests.js";
import type { BoundService } from "../api/call/bound-service.js";
import { healthPath } from "./http/health-check.js";
import { metricsPath } from "./http/metrics.js";
import { exportPath, importPath } from "./rest/document-streams.js";
import { operationRules } from "./rest/operation-rules.js";
import { createRouter, type Router } from "./rest/router.js";
import { rulesOf } from "./rest/rules.js";
import { transferPrefix } from "./rest/transfer-routes.js";

/** Paths of the dialect beside factories and indexes. */
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

export interface RequestNamesOptions {
  services: readonly BoundService[];
  /** Whatever is below one of them is called PATH/{name}. */
  xenonPaths: readonly string[];
}

/** Names requests on the HTTP port, each by one of a bounded number of names. */
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
    if (rpcs.has(path.slice(1))) return { surface: "connect", method: path.slice(1) };
    if (fixed.has(path))
      return { surface: path.startsWith("/v1/") ? "rest" : "other", method: `${method} ${path}` };
    if (path.startsWith(`${filesPath}/`) || path === filesPath)
      return {
        surface: "files",
        method: `${method} ${filesPath}${path.length > filesPath.length + 1 ? "/{name}" : ""}`,
      };
    if (path.startsWith("/v1/"))
      return {
        surface: "rest",
        method: transferName(method, path) ?? rpcOf(route, method, path) ?? `${method} unknown`,
      };
    const template = templateOf(known, path);
    return template === undefined
      ? { surface: "other", method: `${method} unknown` }
      : { surface: "xenon", method: `${method} ${template}` };
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
    // There is none, as its sender is told by the handler.
    return undefined;
  }
}

/** The path itself where it is known, or the innermost known one above it. */
function templateOf(known: ReadonlySet<string>, path: string): string | undefined {
  if (known.has(path)) return path;
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    const parent = path.slice(0, end);
    if (known.has(parent)) return end === path.length - 1 ? parent : `${parent}/{name}`;
  }
  return undefined;
}
