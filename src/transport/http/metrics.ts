import { HostError } from "../../errors.js";
import { authorize } from "../../security/roles.js";
import type { TokenTable } from "../../security/tokens.js";
import { bearerTokenOf } from "../call/authorization.js";
import { sendText } from "./respond.js";
import type { HttpHandler } from "./server.js";

export interface MetricsHandlerOptions {
  exposition(): Promise<{ contentType: string; text: string }>;
  /** Absent: whoever can connect may read them. Else it takes the role read. */
  tokens?: TokenTable | undefined;
}

export const metricsPath = "/metrics";

/** GET /metrics: the figures of the host as Prometheus reads them. */
export function createMetricsHandler({ exposition, tokens }: MetricsHandlerOptions): HttpHandler {
  return async (request, response) => {
    if (request.url !== metricsPath && !request.url?.startsWith(`${metricsPath}?`)) return false;
    if (request.method !== "GET" && request.method !== "HEAD") throw new HostError("METHOD_NOT_ALLOWED", `${metricsPath} takes GET, not ${request.method}.`, { metadata: { allow: "GET" } });
    authorize(tokens, bearerTokenOf(request.headers.authorization), "read");
    const { contentType, text } = await exposition();
    sendText(response, 200, contentType, text);
    return true;
  };
}
