import { openHttpFileClient } from "../destination/http/client.js";
import { parseHttpUri } from "../destination/http/uri.js";
import type { AddressPolicy } from "../destination/network/address-policy.js";
import type { ClientTls } from "../destination/network/tls.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";

/** How this host reaches others. */
export interface Network {
  policy: AddressPolicy;
  tls: ClientTls;
}

/** An answer; its body is not kept. */
export interface Answer {
  status: number;
  /** As the server asked with Retry-After. */
  retryAfterMs?: number;
}

/** A request: with a body, a POST of JSON; without, a GET. */
export interface Message {
  url: string;
  body?: Buffer;
  headers?: Record<string, string>;
}

/**
 * Sends a request and returns the answer. Follows no redirects. Throws DESTINATION_UNREACHABLE, and
 * ADDRESS_NOT_ALLOWED for an address that the policy of the host forbids.
 */
export async function send(
  { policy, tls }: Network,
  { url, body, headers = {} }: Message,
  signal: AbortSignal,
): Promise<Answer> {
  const uri = parseHttpUri(url);
  const client = openHttpFileClient(
    // The path may be a secret.
    { ...uri, shown: originOf(url) },
    { role: "The server", policy, tls },
  );
  const timeout = AbortSignal.timeout(limits.deliveryTimeoutMs);
  try {
    return await client.request(
      {
        method: body ? "POST" : "GET",
        headers: {
          "user-agent": "holdfast",
          ...headers,
          ...(body && {
            "content-type": "application/json",
            "content-length": String(body.length),
          }),
        },
        ...(body && { send: (write) => write(body) }),
        idleTimeoutMs: limits.deliveryTimeoutMs,
      },
      AbortSignal.any([signal, timeout]),
      async (response) => {
        const seconds = Number(response.header("retry-after"));
        return {
          status: response.status,
          ...(seconds > 0 && {
            retryAfterMs: Math.min(seconds * 1000, limits.deliveryRetryAfterMaxMs),
          }),
        };
      },
    );
  } catch (error) {
    if (timeout.aborted && !signal.aborted)
      throw new HostError(
        "DESTINATION_UNREACHABLE",
        `${originOf(url)} did not answer within ${limits.deliveryTimeoutMs / 1000} s.`,
      );
    throw error;
  } finally {
    client.close();
  }
}

/** Returns scheme and authority of a URL, which are safe to show. */
export function originOf(url: string): string {
  return /^https?:\/\/[^/?#]*/i.exec(url)?.[0] ?? "";
}
