import { HostError } from "../../errors.js";
import type { Access } from "../../security/access.js";
import { callerOf } from "./caller.js";
import { sendText } from "./respond.js";
import type { HttpHandler } from "./server.js";

export interface MetricsHandlerOptions {
  exposition(): Promise<{ contentType: string; text: string }>;
  /** Absent: whoever can connect may read them. Else it takes the role read. */
  access?: Access | undefined;
}

export const metricsPath = "/metrics";

/** GET /metrics: the figures of the host as Prometheus reads them. */
export function createMetricsHandler({ exposition, access }: MetricsHandlerOptions): HttpHandler {
  return async (request, response) => {
    if (request.url !== metricsPath && !request.url?.startsWith(`${metricsPath}?`)) return false;
    if (request.method !== "GET" && request.method !== "HEAD")
      throw new HostError(
        "METHOD_NOT_ALLOWED",
        `${metricsPath} takes GET, not ${request.method}.`,
        { metadata: { allow: "GET" } },
      );
    access?.requireRole(callerOf(request, "other"), "GET /metrics", "read");
    const { contentType, text } = await exposition();
    sendText(response, 200, contentType, text);
    return true;
  };
}
