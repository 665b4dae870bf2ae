import type { Access } from "../../security/access.js";
import { callerOf } from "./caller.js";
import { sendText } from "./respond.js";
import type { HttpHandler } from "./handler.js";
import { requireGet } from "./require-get.js";

/** Options of createMetricsHandler. */
export interface MetricsHandlerOptions {
  /** Renders all metrics in the Prometheus exposition format. */
  exposition(): Promise<{ contentType: string; text: string }>;
  /** If set, requires the role read; if omitted, any client may read the metrics. */
  access?: Access | undefined;
}

/** Path of the metrics endpoint. */
export const metricsPath = "/metrics";

/** Serves GET /metrics in the Prometheus exposition format. */
export function createMetricsHandler({ exposition, access }: MetricsHandlerOptions): HttpHandler {
  return async (request, response) => {
    if (request.url !== metricsPath && !request.url?.startsWith(`${metricsPath}?`)) return false;
    requireGet(request, metricsPath);
    access?.requireRole(callerOf(request, "other"), "GET /metrics", "read");
    const { contentType, text } = await exposition();
    sendText(response, 200, contentType, text);
    return true;
  };
}
