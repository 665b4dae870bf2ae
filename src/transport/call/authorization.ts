import type { DescMethod } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";

/**
 * Decides whether a caller may call a method: returns, or throws TOKEN_MISSING, TOKEN_UNKNOWN or ROLE_MISSING. It is
 * asked before anything of the request is looked at, and for health and reflection too.
 */
export type Authorize = (method: DescMethod, bearerToken: string | undefined) => void;

/** The token of an Authorization header; undefined where there is none or it is of another scheme. */
export function bearerTokenOf(header: string | null | undefined): string | undefined {
  return /^bearer +(\S+) *$/i.exec(header ?? "")?.[1];
}

export function authorizationInterceptor(authorize: Authorize): Interceptor {
  return (next) => (request) => {
    authorize(request.method, bearerTokenOf(request.header.get("authorization")));
    return next(request);
  };
}
