import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { fromRequestError, fromStatus } from "../../destination/network/failure.js";
import { retry } from "../../destination/retry.js";

/** Client of a host with the Xenon API: a Xenon or Holdfast host. */
export interface DocumentHost {
  /** Base URL without a trailing slash. */
  readonly url: string;
  /**
   * Sends a request and returns the body of a 2xx response. Retries while the host is unreachable.
   * Throws DESTINATION_REFUSED with the error of the host for other responses, and BODY_TOO_LARGE
   * for a response over limits.importAnswerBytes.
   */
  ask(
    method: "GET" | "POST" | "PUT",
    path: string,
    signal: AbortSignal,
    body?: RequestBody,
  ): Promise<string>;
}

/** Body of a request. */
export interface RequestBody {
  type: string;
  content: string | Uint8Array;
  headers?: Record<string, string>;
}

/** Options of documentHost. */
export interface DocumentHostOptions {
  platform: Pick<Platform, "transfer" | "randomHex">;
  /** Name of the host in messages, for example `The Xenon host`. */
  role: string;
  token?: string;
}

/**
 * Creates a client. Throws CONFIGURATION_INVALID unless the URL is an http or https URL with only a
 * host.
 */
export function documentHost(
  url: string,
  { platform, role, token }: DocumentHostOptions,
): DocumentHost {
  let base: URL;
  try {
    base = new URL(url);
  } catch (cause) {
    throw notAHost(url, cause);
  }
  if (
    !/^https?:$/.test(base.protocol) ||
    base.pathname !== "/" ||
    base.search !== "" ||
    base.username !== "" ||
    base.password !== ""
  )
    throw notAHost(url);
  const origin = base.origin;
  const name = `${role} ${origin}`;
  // A query on a large index may take long before its first byte.
  const patientPlatform = {
    ...platform,
    transfer: {
      retryTimeoutMs: limits.importIdleTimeoutMs,
      idleTimeoutMs: limits.importIdleTimeoutMs,
      ...platform.transfer,
    },
  };

  return {
    url: origin,
    ask: (method, path, signal, body) =>
      retry(patientPlatform, signal, async ({ idleTimeoutMs }) => {
        const timeout = AbortSignal.timeout(Math.ceil(idleTimeoutMs));
        try {
          const answer = await fetch(origin + path, {
            method,
            redirect: "manual",
            signal: AbortSignal.any([signal, timeout]),
            headers: {
              ...(body && { "content-type": body.type, ...body.headers }),
              ...(token !== undefined && { authorization: `Bearer ${token}` }),
            },
            ...(body && { body: body.content as string }),
          });
          const text = await readBounded(answer, name);
          if (answer.ok) return text;
          const error = fromStatus(
            answer.status,
            answer.headers.get("retry-after") ?? undefined,
            `${method} ${path.split("?", 1)[0] ?? ""}`,
            name,
          );
          const detail = messageOf(text);
          throw detail === undefined
            ? error
            : new HostError(error.reason, `${error.message.replace(/\.$/, "")}: ${detail}`, {
                metadata: error.metadata,
              });
        } catch (thrown) {
          if (timeout.aborted)
            throw new HostError(
              "DESTINATION_UNREACHABLE",
              `${name} did not respond within ${idleTimeoutMs / 1000} s.`,
            );
          const error = fromRequestError(causeOf(thrown), name);
          // For example a port that fetch blocks.
          throw error instanceof HostError || signal.aborted
            ? error
            : new HostError("DESTINATION_REFUSED", `Request to ${name} failed: ${error.message}.`, {
                cause: thrown,
              });
        }
      }),
  };
}

function notAHost(url: string, cause?: unknown): HostError {
  return new HostError(
    "CONFIGURATION_INVALID",
    `Invalid host address ${JSON.stringify(url.slice(0, 200))}: must be a URL such as http://127.0.0.1:8000.`,
    { cause },
  );
}

/** Unwraps an error of fetch, whose cause has the errno. */
function causeOf(thrown: unknown): unknown {
  return thrown instanceof TypeError && thrown.cause !== undefined ? thrown.cause : thrown;
}

async function readBounded(answer: Response, name: string): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  if (answer.body) {
    for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>) {
      size += part.length;
      if (size > limits.importAnswerBytes)
        throw new HostError(
          "BODY_TOO_LARGE",
          `${name} sent a response over ${limits.importAnswerBytes} bytes. Use a smaller page size.`,
        );
      parts.push(part);
    }
  }
  return Buffer.concat(parts, size).toString("utf8");
}

/** Returns the message of an error response of the Xenon API or /v1. */
function messageOf(text: string): string | undefined {
  try {
    const value = JSON.parse(text) as { message?: unknown };
    return typeof value.message === "string" ? value.message.slice(0, 500) : undefined;
  } catch {
    return undefined;
  }
}
