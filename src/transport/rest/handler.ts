import {
  ScalarType,
  type DescMessage,
  type DescMethod,
  type JsonObject,
  type JsonValue,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import {
  createContextValues,
  createHandlerContext,
  type Interceptor,
  type MethodImplSpec,
} from "@connectrpc/connect";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { BoundService } from "../../api/call/bound-service.js";
import { checkInterceptors, type CallChecks } from "../../api/policy/interceptors.js";
import { invoke, map, onlyMessage } from "../../api/call/invoke.js";
import { heldAnswer } from "../../api/policy/held-answer.js";
import { holdOf } from "../http/held-bytes.js";
import { callOrigin } from "../../api/policy/origin.js";
import { messageRegistry } from "../../api/call/message-registry.js";
import { callerOf } from "../http/caller.js";
import { headersOf } from "../http/headers.js";
import { hostErrorOf, type OnInternalError } from "../../api/status.js";
import { errorJson, sendAnswer, sendError, sendLongAnswer } from "./answer.js";
import { readBody } from "./body.js";
import { etagOf, ifMatchParameters } from "./conditional.js";
import { operationPreference, type ApplyPreference } from "./operation-preference.js";
import { operationRules } from "./operation-rules.js";
import { sendLines } from "./stream.js";
import { toRequest } from "./request.js";
import { createRouter, type Match, type Route } from "./router.js";
import { rulesOf, type ExtraRules } from "./rules.js";
import { jsonWriter } from "./to-json.js";

/** Options of createRestHandler. */
export interface RestOptions extends CallChecks {
  services: readonly BoundService[];
  /** Default: operationRules. */
  extraRules?: ExtraRules;
  /** Called with each error whose details are hidden from the caller. */
  onInternalError: OnInternalError;
}

/**
 * Handles a request and resolves to true, or to false if its path is not below /v1. The signal
 * aborts when the client disconnects or the grace period of a shutdown ends. Never rejects: errors
 * are sent as responses.
 */
export type RestHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  signal: () => AbortSignal,
) => Promise<boolean>;

const prefix = "/v1";

/**
 * Serves the unary and server-streaming methods of services that have a google.api.http annotation.
 */
export function createRestHandler(options: RestOptions): RestHandler {
  const { authorize, ...checks } = options;
  const interceptors = checkInterceptors(checks);
  const applyPreference = operationPreference(options.services);
  const registry = messageRegistry(options.services);
  const route = createRouter(
    options.services.flatMap((service) =>
      routesOf(service, options.extraRules ?? operationRules, registry),
    ),
  );
  return async (request, response, signal) => {
    const [path = "", query = ""] = (request.url ?? "").split(/\?(.*)/s);
    if (path !== prefix && !path.startsWith(`${prefix}/`)) return false;
    try {
      const match = route(request.method ?? "GET", path);
      // Not in an interceptor, which needs the message: unauthorized requests must not be read.
      authorize?.(match.route.target.spec.method, callerOf(request, "rest"));
      await answer({
        request,
        response,
        signal: signal(),
        match,
        query,
        path,
        registry,
        interceptors,
        applyPreference,
        onInternalError: options.onInternalError,
      });
    } catch (thrown) {
      const error = hostErrorOf(thrown, options.onInternalError);
      sendError(request, response, error, registry);
    }
    return true;
  };
}

interface Target {
  spec: MethodImplSpec;
  write: (message: Message) => JsonValue;
}

function routesOf(
  { methods }: BoundService,
  extraRules: ExtraRules,
  registry: Registry,
): Route<Target>[] {
  return Object.values(methods).flatMap((spec) => {
    const { method } = spec;
    const write = jsonWriter(method.output, registry);
    return rulesOf(method, extraRules).map((rule) => ({
      ...rule,
      target: { spec, write: partWriter(method.output, rule.responseBody, write) },
    }));
  });
}

/** Restricts a writer to the field that the rule names as the response body. */
function partWriter(
  schema: DescMessage,
  fieldName: string,
  write: Target["write"],
): Target["write"] {
  if (fieldName === "") return write;
  const field = schema.fields.find(({ name }) => name === fieldName);
  if (!field) throw new Error(`${schema.typeName} has no field ${fieldName} for a response body`);
  return (message) => (write(message) as JsonObject)[field.jsonName] ?? null;
}

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  signal: AbortSignal;
  match: Match<Target>;
  path: string;
  query: string;
  registry: Registry;
  interceptors: readonly Interceptor[];
  applyPreference: ApplyPreference;
  onInternalError: OnInternalError;
}

async function answer({
  request,
  response,
  signal,
  match,
  path,
  query,
  registry,
  interceptors,
  applyPreference,
  onInternalError,
}: Exchange) {
  const { route, variables } = match;
  const { spec, write } = route.target;
  const { method } = spec;
  const context = createHandlerContext({
    service: method.parent,
    method,
    protocolName: "rest",
    requestMethod: request.method ?? "GET",
    url: `http://${request.headers.host ?? "localhost"}${path}`,
    requestHeader: headersOf(request),
    requestSignal: signal,
    contextValues: createContextValues()
      .set(callOrigin, { via: "rest", address: request.socket.remoteAddress })
      // Opened when an answer is large.
      .set(heldAnswer, { add: (bytes) => holdOf(request, "answers").add(bytes) }),
  });
  const message = async function* () {
    const body = await readBody(request, bodyLimit(method));
    const fromHeader = ifMatchParameters(method.input, request.headers["if-match"]);
    yield await toRequest(
      method.input,
      {
        rule: route,
        variables: [...variables, ...fromHeader],
        query: new URLSearchParams(query),
        body,
      },
      registry,
    );
  };
  try {
    const output = await invoke(spec, context, message(), interceptors);
    const headers = () => [...context.responseHeader].flat();
    if (spec.kind === "server_streaming") {
      const toStatus = (thrown: unknown) =>
        errorJson(hostErrorOf(thrown, onInternalError), registry);
      await sendLines(request, response, {
        lines: map(output, (message) => `${JSON.stringify(write(message))}\n`),
        headers,
        errorJson: toStatus,
      });
      return;
    }
    const preferred = await applyPreference(request, await onlyMessage(output), context);
    // For a document of 16 MiB, creating the message, the base64 text and the JSON takes 20 ms
    // each.
    if (containsDocument(method)) await yieldToEventLoop();
    const json = write(preferred.message);
    if (containsDocument(method)) await yieldToEventLoop();
    const etag = etagOf(json);
    await (containsDocument(method) ? sendLongAnswer : sendAnswer)(
      response,
      json,
      [...headers(), ...preferred.headers, ...(etag === undefined ? [] : ["etag", etag])],
      preferred.status,
    );
  } finally {
    context.abort(new HostError("OPERATION_CANCELLED", "The call has ended."));
  }
}

/** Base64 makes documents a third larger. All other requests consist of a few short strings. */
function bodyLimit(method: DescMethod): number {
  return containsDocument(method)
    ? Math.ceil((limits.documentBytes * 4) / 3) + limits.managementBodyBytes
    : limits.managementBodyBytes;
}

function containsDocument({ input }: DescMethod): boolean {
  return input.fields.some(
    (field) => field.fieldKind === "scalar" && field.scalar === ScalarType.BYTES,
  );
}
