import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { IncomingMessage } from "node:http";
import { checkJsonBoundsYielding, requestBounds } from "../../document/json-bounds.js";
import { decodeUtf8 } from "../../document/utf8.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { decode } from "../../api/call/decode.js";
import { holdOf } from "../http/held-bytes.js";
import { prepareRequestJson } from "../rest/request-json.js";
import { connectErrorOf } from "../../api/status.js";

/** Throws BODY_TOO_LARGE if the Content-Length exceeds the limit. */
export function checkLength({ headers }: IncomingMessage, limitBytes: number): void {
  checkSize(Number(headers["content-length"] ?? 0), limitBytes);
}

/**
 * Reads and validates the messages of a request, at most limitBytes in total, with backpressure.
 * The library would report INTERNAL for a message it cannot decode, and would parse input of any
 * size. Bytes detached from a unary JSON request are passed to `detached` to be restored later.
 *
 * Throws the errors of prepareRequestJson and decode, BODY_TOO_LARGE, OVERLOADED, and
 * OPERATION_CANCELLED if the client disconnects before the end. Stopping early leaves the rest
 * unread and the connection open, so that a response can still be sent.
 */
export async function* messagesOf(
  request: IncomingMessage,
  method: DescMethod,
  limitBytes: number,
  detached: (attach: (message: Message) => void) => void,
): AsyncGenerator<Uint8Array> {
  const type = request.headers["content-type"] ?? "";
  const isJson = /json/i.test(type);
  try {
    if (/^application\/(?:connect\+|grpc)/i.test(type))
      yield* envelopes(request, limitBytes, (bytes) => checkStreamed(method, isJson, bytes));
    else if (isJson) {
      const { text, attach } = await prepareRequestJson(
        method.input,
        await decodeUtf8(await wholeOf(request, limitBytes), "The body"),
      );
      detached(attach);
      yield Buffer.from(text);
    } else {
      const bytes = await wholeOf(request, limitBytes);
      // Compressed bodies and unknown content types are rejected by the library.
      if (
        /^application\/proto\b/i.test(type) &&
        (request.headers["content-encoding"] ?? "identity") === "identity"
      )
        decode(method.input, bytes);
      yield bytes;
    }
  } catch (thrown) {
    if (thrown instanceof HostError) throw connectErrorOf(thrown);
    if (request.complete || !request.destroyed) throw thrown;
    throw connectErrorOf(
      new HostError(
        "OPERATION_CANCELLED",
        "The client disconnected before the request was complete.",
        {
          cause: thrown,
        },
      ),
    );
  }
}

async function checkStreamed({ input }: DescMethod, isJson: boolean, bytes: Buffer): Promise<void> {
  if (!isJson) {
    decode(input, bytes);
    return;
  }
  checkSize(bytes.length, limits.streamedJsonBytes);
  await checkJsonBoundsYielding(await decodeUtf8(bytes, "The message"), requestBounds);
}

async function* chunksOf(request: IncomingMessage, limitBytes: number): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    checkSize((size += chunk.length), limitBytes);
    yield chunk;
  }
}

async function wholeOf(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const hold = holdOf(request);
  const parts: Buffer[] = [];
  for await (const chunk of chunksOf(request, limitBytes)) {
    hold.add(chunk.length);
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

const headBytes = 5;

/** Yields each complete, validated message with its five-byte header. */
async function* envelopes(
  request: IncomingMessage,
  limitBytes: number,
  check: (message: Buffer) => Promise<void>,
): AsyncGenerator<Buffer> {
  const hold = holdOf(request);
  let parts: Buffer[] = [];
  let held = 0;
  let wanted = headBytes;
  for await (const chunk of chunksOf(request, limitBytes)) {
    hold.add(chunk.length);
    held += chunk.length;
    parts.push(chunk);
    while (held >= wanted) {
      const bytes = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
      parts = [bytes];
      const length = headBytes + bytes.readUInt32BE(1);
      checkSize(length - headBytes, limits.connectMessageBytes);
      wanted = length;
      if (held < length) break;
      const envelope = bytes.subarray(0, length);
      const [flags] = envelope;
      if (flags !== 0)
        throw new HostError(
          "REQUEST_INVALID",
          `Unsupported message flags ${flags}: only uncompressed messages without trailers (flags 0) are accepted.`,
        );
      await check(envelope.subarray(headBytes));
      yield envelope;
      hold.free(length);
      held -= length;
      parts = held > 0 ? [bytes.subarray(length)] : [];
      wanted = headBytes;
    }
  }
  // The library rejects a truncated message.
  if (held > 0) yield Buffer.concat(parts);
}

function checkSize(bytes: number, limitBytes: number): void {
  if (bytes > limitBytes)
    throw new HostError("BODY_TOO_LARGE", `The request exceeds the limit of ${limitBytes} bytes.`);
}
