import { HostError } from "../../errors.js";
import type { HealthRegistry } from "../../api/health.js";
import { sendText } from "./respond.js";
import type { HttpHandler } from "./server.js";

export const healthPath = "/healthz";

/**
 * GET /healthz, for containers and load balancers: 200 while the host serves, else 503; ?service=NAME for one of the
 * names that grpc.health.v1 knows, 404 for others. It takes no token, and says one word.
 */
export function createHealthCheck({ serves }: Pick<HealthRegistry, "serves">): HttpHandler {
  return async (request, response) => {
    const [path, query = ""] = (request.url ?? "").split("?", 2);
    if (path !== healthPath) return false;
    if (request.method !== "GET" && request.method !== "HEAD")
      throw new HostError("METHOD_NOT_ALLOWED", `${healthPath} takes GET, not ${request.method}.`, {
        metadata: { allow: "GET" },
      });
    const serving = serves(new URLSearchParams(query).get("service") ?? "");
    const [status, text] =
      serving === undefined ? [404, "UNKNOWN"] : serving ? [200, "SERVING"] : [503, "NOT_SERVING"];
    sendText(response, status, "text/plain; charset=utf-8", `${text}\n`);
    return true;
  };
}
