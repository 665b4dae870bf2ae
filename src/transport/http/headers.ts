import type { IncomingMessage } from "node:http";

/** Converts the headers of a request to a Headers object, with every value of repeated headers. */
export function headersOf(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(request.headersDistinct))
    for (const value of values ?? []) headers.append(name, value);
  return headers;
}
