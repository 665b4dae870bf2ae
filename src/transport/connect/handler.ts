import { createConnectRouter, createContextValues, type ConnectError } from "@connectrpc/connect";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { BoundService } from "../../api/call/bound-service.js";
import { checkInterceptors, type CallChecks } from "../../api/policy/interceptors.js";
import { callOrigin, refusalInterceptor } from "../../api/policy/origin.js";
import { bindRouter } from "../../api/call/router.js";
import { messageRegistry } from "../../api/call/message-registry.js";
import { callerOf } from "../http/caller.js";
import { headersOf } from "../http/headers.js";
import type { HttpHandler } from "../http/server.js";
import { connectErrorOf, hostErrorOf, type OnInternalError } from "../../api/status.js";
import { sendUniversal, sendUnknownMethod, type UniversalHandler } from "./answer.js";
import { clampDeadline } from "./deadline.js";
import { errorInterceptor } from "./interceptor.js";
import { givenBytes, jsonBytesInterceptor, takenBytes, withBytes } from "./json-bytes.js";
import { checkLength, messagesOf } from "./request-body.js";

export interface ConnectOptions extends CallChecks {
  services: readonly BoundService[];
  /** Told of each error that its caller is told nothing of. */
  onInternalError: OnInternalError;
}

/** All services are in one of these packages; other paths are not ours. */
const paths = /^\/(?:holdfast|google|grpc)\./;

/** Serves services by Connect (JSON and binary) and gRPC-Web, all shapes of call, over HTTP/1.1. */
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
        new HostError("ROUTE_NOT_FOUND", `There is no method ${path} here.`),
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
    // Connect looks at it before it reads, and knows fewer words for what is too large.
    // The bytes of a document are taken out of JSON before that.
    header.delete("content-length");
    const contextValues = createContextValues().set(callOrigin, {
      via: "connect",
      address: request.socket.remoteAddress,
      refusal,
    });
    const answer = await handler({
      // Connect takes HTTP/1.1 to be half-duplex and would refuse bidirectional streams, which node:http can do.
      httpVersion: "2.0",
      method: request.method ?? "POST",
      // The name is looked at by nobody here, and was checked before.
      url: `http://localhost${url}`,
      header,
      // Who may not call does not make the host read a message; the error takes the protocol's form where it is read.
      body: refusal
        ? failing(refusal)
        : messagesOf(request, method, limitBytes, (attach) =>
            contextValues.set(givenBytes, { attach }),
          ),
      signal: signal(),
      contextValues,
    });
    await sendUniversal(
      request,
      response,
      await withBytes(answer, contextValues.get(takenBytes).put),
    );
    return true;
  };
}

/** With what streams and gRPC-Web put before a message. */
const maxBytes = limits.connectMessageBytes + 5;

function handlersOf({
  services,
  onInternalError,
  authorize: _beforeTheMessage,
  ...checks
}: ConnectOptions): ReadonlyMap<string, UniversalHandler> {
  const router = createConnectRouter({
    // Native gRPC has a port of its own.
    grpc: false,
    interceptors: [
      jsonBytesInterceptor(),
      errorInterceptor(onInternalError),
      refusalInterceptor,
      ...checkInterceptors(checks),
    ],
    // As on /v1: a field that is not known is refused, for it may have been what keeps a restore from going too far.
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
