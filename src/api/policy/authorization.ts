import type { DescMethod } from "@bufbuild/protobuf";
import type { Interceptor, UnaryRequest } from "@connectrpc/connect";
import type { Caller } from "../../security/caller.js";
import { callOrigin } from "./origin.js";

/**
 * Checks whether a caller may call a method. Throws TOKEN_MISSING, TOKEN_UNKNOWN or ROLE_MISSING if
 * not. Called before the request is read, for health and reflection too.
 */
export type Authorize = (method: DescMethod, caller: Caller) => void;

/** Returns the bearer token of an Authorization header, or undefined without one. */
export function bearerTokenOf(header: string | null | undefined): string | undefined {
  return /^bearer +(\S+) *$/i.exec(header ?? "")?.[1];
}

/** Returns the caller of a request. */
export function callerOf({
  header,
  contextValues,
}: Pick<UnaryRequest, "header" | "contextValues">): Caller {
  const { via, address } = contextValues.get(callOrigin);
  return { via, address, bearerToken: bearerTokenOf(header.get("authorization")) };
}

/** Creates an interceptor that authorizes each call. */
export function authorizationInterceptor(authorize: Authorize): Interceptor {
  return (next) => (request) => {
    authorize(request.method, callerOf(request));
    return next(request);
  };
}
