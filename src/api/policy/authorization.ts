import type { DescMethod } from "@bufbuild/protobuf";
import type { Interceptor, UnaryRequest } from "@connectrpc/connect";
import type { Caller } from "../../security/caller.js";
import { callOrigin } from "./origin.js";

/**
 * Decides whether a caller may call a method: returns, or throws TOKEN_MISSING, TOKEN_UNKNOWN or ROLE_MISSING. It is
 * asked before anything of the request is looked at, and for health and reflection too.
 */
export type Authorize = (method: DescMethod, caller: Caller) => void;

/** The token of an Authorization header; undefined where there is none or it is of another scheme. */
export function bearerTokenOf(header: string | null | undefined): string | undefined {
  return /^bearer +(\S+) *$/i.exec(header ?? "")?.[1];
}

/** Who sent a call. */
export function callerOf({
  header,
  contextValues,
}: Pick<UnaryRequest, "header" | "contextValues">): Caller {
  const { via, address } = contextValues.get(callOrigin);
  return { via, address, bearerToken: bearerTokenOf(header.get("authorization")) };
}

export function authorizationInterceptor(authorize: Authorize): Interceptor {
  return (next) => (request) => {
    authorize(request.method, callerOf(request));
    return next(request);
  };
}
