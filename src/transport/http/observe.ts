import type { IncomingMessage, ServerResponse } from "node:http";
import { queryWithoutSecrets, withoutSecrets } from "../../security/secrets.js";
import type { RequestObserver } from "../../service/host/requests.js";

/** Reports a request to the observer when its response ends. */
export function observe(
  observer: RequestObserver,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const beginMicros = Date.now() * 1000;
  const begun = performance.now();
  // Read now: a closed socket has no addresses.
  const { localAddress = "", localPort = 0, remoteAddress = "", remotePort = 0 } = request.socket;
  const [path, query] = splitAt(request.url ?? "", "?");
  response.once("close", () => {
    const { headers } = request;
    observer.completed({
      protocol: "HTTP/1.1",
      method: request.method ?? "",
      path,
      query: queryWithoutSecrets(query),
      host: localAddress,
      port: localPort,
      remoteAddress: `${remoteAddress}:${remotePort}`,
      referer: withoutSecrets(headers.referer ?? ""),
      pragma: headers.pragma ?? "",
      statusCode: statusOf(response),
      requestBytes: Number(headers["content-length"] ?? 0),
      beginMicros,
      durationMicros: Math.round((performance.now() - begun) * 1000),
    });
  });
}

/** Returns the status of a response, or 499 if the client disconnected before it was sent. */
export function statusOf(response: ServerResponse): number {
  return response.headersSent ? response.statusCode : 499;
}

function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + mark.length)];
}
