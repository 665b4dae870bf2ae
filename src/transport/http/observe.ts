import type { IncomingMessage, ServerResponse } from "node:http";
import { shownQuery, withoutSecrets } from "../../security/secrets.js";
import type { RequestObserver } from "../../service/host/requests.js";

/** Tells the observer of a request once its answer is over. */
export function observe(
  observer: RequestObserver,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const beginMicros = Date.now() * 1000;
  const begun = performance.now();
  // Of a connection that is gone the addresses are gone too.
  const { localAddress = "", localPort = 0, remoteAddress = "", remotePort = 0 } = request.socket;
  const [path, query] = splitAt(request.url ?? "", "?");
  response.once("close", () => {
    const { headers } = request;
    observer.answered({
      protocol: "HTTP/1.1",
      method: request.method ?? "",
      path,
      query: shownQuery(query),
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

/** What was answered; 499 where the client left before. */
export function statusOf(response: ServerResponse): number {
  return response.headersSent ? response.statusCode : 499;
}

function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + mark.length)];
}
