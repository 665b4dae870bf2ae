import type { IncomingMessage } from "node:http";
import { HostError } from "../../errors.js";

/** METHOD_NOT_ALLOWED for a path that is only read. */
export function requireGet({ method }: Pick<IncomingMessage, "method">, path: string): void {
  if (method === "GET" || method === "HEAD") return;
  throw new HostError("METHOD_NOT_ALLOWED", `${path} does not support ${method}; use GET.`, {
    metadata: { allow: "GET" },
  });
}
