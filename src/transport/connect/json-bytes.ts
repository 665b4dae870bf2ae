import type { JsonValue, Message } from "@bufbuild/protobuf";
import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import { encodeJson } from "../../document/long-json.js";
import { createContextKey, type Interceptor } from "@connectrpc/connect";
import { bytesDetacher, type PutBytes } from "../rest/to-json.js";
import type { UniversalResponse } from "./answer.js";

/** Holds the bytes detached from the response of a call. */
export const responseBytes = createContextKey<{ put: PutBytes | undefined }>(
  { put: undefined },
  { description: "bytes of the answer" },
);

/** Restores the bytes detached from the message of a unary JSON request. */
export const requestBytes = createContextKey<{ attach: ((message: Message) => void) | undefined }>(
  { attach: undefined },
  { description: "bytes of the request" },
);

/**
 * Detaches bytes from unary JSON responses, as on /v1: the library's base64 encoder would block the
 * event loop for seconds. Streams are unaffected because their messages are smaller.
 */
export function jsonBytesInterceptor(): Interceptor {
  const detachers = new Map<string, (message: Message) => PutBytes | undefined>();
  return (next) => async (request) => {
    if (!request.stream) request.contextValues.get(requestBytes).attach?.(request.message);
    const response = await next(request);
    if (
      response.stream ||
      request.header.get("content-type")?.startsWith("application/json") !== true
    )
      return response;
    const schema = response.method.output;
    const detach = detachers.get(schema.typeName) ?? bytesDetacher(schema);
    detachers.set(schema.typeName, detach);
    request.contextValues.set(responseBytes, { put: detach(response.message) });
    return response;
  };
}

/** Inserts detached bytes into the response encoded by the library. */
export async function withBytes(
  answer: UniversalResponse,
  put: PutBytes | undefined,
): Promise<UniversalResponse> {
  if (put === undefined || answer.status !== 200 || answer.body === undefined) return answer;
  const parts: Uint8Array[] = [];
  for await (const part of answer.body) parts.push(part);
  const json = JSON.parse(Buffer.concat(parts).toString()) as JsonValue;
  await yieldToEventLoop();
  put(json);
  await yieldToEventLoop();
  const body = await encodeJson(json);
  const header = new Headers(answer.header);
  header.set("content-length", String(body.reduce((sum, { length }) => sum + length, 0)));
  return { ...answer, header, body: each(body) };
}

async function* each(parts: Buffer[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}
