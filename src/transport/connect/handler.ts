import { createConnectRouter, createContextValues, type ConnectError } from "@connectrpc/connect";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { BoundService } from "../../api/call/bound-service.js";
import { checkInterceptors, type CallChecks } from "../../api/policy/interceptors.js";
import { heldAnswer } from "../../api/policy/held-answer.js";
import { holdOf } from "../http/held-bytes.js";
import { callOrigin, refusalInterceptor } from "../../api/policy/origin.js";
import { bindRouter } from "../../api/call/router.js";
import { messageRegistry } from "../../api/call/message-registry.js";
import { callerOf } from "../http/caller.js";
import { headersOf } from "../http/headers.js";
import type { HttpHandler } from "../http/handler.js";
import { connectErrorOf, hostErrorOf, type OnInternalError } from "../../api/status.js";
import { sendUniversal, sendUnknownMethod, type UniversalHandler } from "./answer.js";
import { clampDeadline } from "./deadline.js";
import { errorInterceptor } from "./interceptor.js";
import { requestBytes, jsonBytesInterceptor, responseBytes, withBytes } from "./json-bytes.js";
import { checkLength, messagesOf } from "./request-body.js";

/** Options of createConnectHandler. */
export interface ConnectOptions extends CallChecks {
  services: readonly BoundService[];
  /** Called with each error whose details are hidden from the caller. */
  onInternalError: OnInternalError;
}

/** All services are in one of these packages; requests to other paths are not handled. */
const paths = /^\/(?:holdfast|google|grpc)\./;

/** Serves Connect (JSON and binary) and gRPC-Web over HTTP/1.1, unary and streaming. */
export function createConnectHandler(options: ConnectOptions): HttpHandler {
  const handlers = handlersOf(options);
  return async (request, response, signal) => {
    const url = request.url ?? "";
    if (!paths.test(url)) return false;
    const [path = ""] = url.split("?", 1);
    const handler = handlers.get(path);
    if (!handler) {
      sendUnknownMethod(
        request,
        response,
        new HostError("ROUTE_NOT_FOUND", `Method ${path} not found.`),
      );
      return true;
    }
    const { method } = handler;
    const oneMessage = method.methodKind === "unary" || method.methodKind === "server_streaming";
    const limitBytes = oneMessage ? maxBytes : Infinity;
    const header = headersOf(request);
    clampDeadline(header);
    const refusal = refusalOf(() => {
      options.authorize?.(method, callerOf(request, "connect"));
      checkLength(request, limitBytes);
    });
    // Connect would check it against its own limit, although document bytes are detached from JSON
    // first, and report a less specific error.
    header.delete("content-length");
    const contextValues = createContextValues()
      .set(callOrigin, { via: "connect", address: request.socket.remoteAddress, refusal })
      .set(heldAnswer, { add: (bytes) => holdOf(request, "answers").add(bytes) });
    const answer = await handler({
      // Connect assumes that HTTP/1.1 is half-duplex and would reject bidirectional streams, which
      // node:http supports.
      httpVersion: "2.0",
      method: request.method ?? "POST",
      // The host name is not used here; it was validated earlier.
      url: `http://localhost${url}`,
      header,
      // An unauthorized request must not make the host read a message. Failing the body lets
      // Connect encode the error.
      body: refusal
        ? failing(refusal)
        : messagesOf(request, method, limitBytes, (attach) =>
            contextValues.set(requestBytes, { attach }),
          ),
      signal: signal(),
      contextValues,
    });
    await sendUniversal(
      request,
      response,
      await withBytes(answer, contextValues.get(responseBytes).put),
    );
    return true;
  };
}

/** Includes the five-byte envelope header of streams and gRPC-Web. */
const maxBytes = limits.connectMessageBytes + 5;

function handlersOf({
  services,
  onInternalError,
  authorize: _beforeTheMessage,
  ...checks
}: ConnectOptions): ReadonlyMap<string, UniversalHandler> {
  const router = createConnectRouter({
    // Native gRPC is served on its own port.
    grpc: false,
    interceptors: [
      jsonBytesInterceptor(),
      errorInterceptor(onInternalError),
      refusalInterceptor,
      ...checkInterceptors(checks),
    ],
    // As on /v1, unknown fields are rejected: a misspelled field could be the limit of a restore.
    jsonOptions: { registry: messageRegistry(services), ignoreUnknownFields: false },
    readMaxBytes: maxBytes,
    writeMaxBytes: maxBytes,
  });
  bindRouter(router, services);
  return new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
}

function refusalOf(check: () => void): ConnectError | undefined {
  try {
    check();
    return undefined;
  } catch (thrown) {
    return connectErrorOf(hostErrorOf(thrown));
  }
}

async function* failing(error: ConnectError): AsyncGenerator<Uint8Array> {
  throw error;
}
