import type { JsonValue, Message } from "@bufbuild/protobuf";
import { setImmediate as nextTurn } from "node:timers/promises";
import { encodeJson } from "../../document/long-json.js";
import { createContextKey, type Interceptor } from "@connectrpc/connect";
import { bytesDetacher, type PutBytes } from "../rest/to-json.js";
import type { UniversalResponse } from "./answer.js";

/** Where a call keeps what was taken out of its answer. */
export const takenBytes = createContextKey<{ put: PutBytes | undefined }>(
  { put: undefined },
  { description: "bytes of the answer" },
);

/** Puts what was taken out of the one message of a JSON request back into it. */
export const givenBytes = createContextKey<{ attach: ((message: Message) => void) | undefined }>(
  { attach: undefined },
  { description: "bytes of the request" },
);

/**
 * Takes the bytes out of the one message of a JSON answer, as on /v1: the library's base64 would hold the event loop up
 * for seconds. Streams are left alone, since their messages are smaller.
 */
export function jsonBytesInterceptor(): Interceptor {
  const detachers = new Map<string, (message: Message) => PutBytes | undefined>();
  return (next) => async (request) => {
    if (!request.stream) request.contextValues.get(givenBytes).attach?.(request.message);
    const response = await next(request);
    if (
      response.stream ||
      request.header.get("content-type")?.startsWith("application/json") !== true
    )
      return response;
    const schema = response.method.output;
    const detach = detachers.get(schema.typeName) ?? bytesDetacher(schema);
    detachers.set(schema.typeName, detach);
    request.contextValues.set(takenBytes, { put: detach(response.message) });
    return response;
  };
}

/** Puts them into what the library made of the rest. */
export async function withBytes(
  answer: UniversalResponse,
  put: PutBytes | undefined,
): Promise<UniversalResponse> {
  if (put === undefined || answer.status !== 200 || answer.body === undefined) return answer;
  const parts: Uint8Array[] = [];
  for await (const part of answer.body) parts.push(part);
  const json = JSON.parse(Buffer.concat(parts).toString()) as JsonValue;
  await nextTurn();
  put(json);
  await nextTurn();
  const body = await encodeJson(json);
  const header = new Headers(answer.header);
  header.set("content-length", String(body.reduce((sum, { length }) => sum + length, 0)));
  return { ...answer, header, body: each(body) };
}

async function* each(parts: Buffer[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}
