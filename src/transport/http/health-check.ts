import type { HealthRegistry } from "../../api/health.js";
import { sendText } from "./respond.js";
import type { HttpHandler } from "./handler.js";
import { requireGet } from "./require-get.js";

/** Path of the health check. */
export const healthPath = "/healthz";

/**
 * Serves GET /healthz for containers and load balancers: 200 while the host serves, else 503. With
 * ?service=NAME it checks one of the services known to grpc.health.v1 and responds 404 for others.
 * It requires no token.
 */
export function createHealthCheck({ serves }: Pick<HealthRegistry, "serves">): HttpHandler {
  return async (request, response) => {
    const [path, query = ""] = (request.url ?? "").split("?", 2);
    if (path !== healthPath) return false;
    requireGet(request, healthPath);
    const serving = serves(new URLSearchParams(query).get("service") ?? "");
    const [status, text] =
      serving === undefined ? [404, "UNKNOWN"] : serving ? [200, "SERVING"] : [503, "NOT_SERVING"];
    sendText(response, status, "text/plain; charset=utf-8", `${text}\n`);
    return true;
  };
}
