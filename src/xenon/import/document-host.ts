import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { fromRequestError, fromStatus } from "../../destination/http/failure.js";
import { retry } from "../../destination/http/retry.js";

/** A host that speaks Xenon's dialect: a Xenon, or one of ours. */
export interface DocumentHost {
  /** Without a slash at its end. */
  readonly url: string;
  /**
   * The text of an answer of 2xx. Tried again while the host cannot be reached; DESTINATION_REFUSED with what it says
   * otherwise, and BODY_TOO_LARGE for an answer beyond limits.importAnswerBytes.
   */
  ask(
    method: "GET" | "POST" | "PUT",
    path: string,
    signal: AbortSignal,
    body?: RequestBody,
  ): Promise<string>;
}

export interface RequestBody {
  type: string;
  content: string | Uint8Array;
  headers?: Record<string, string>;
}

export interface DocumentHostOptions {
  platform: Pick<Platform, "transfer" | "randomHex">;
  /** For messages, for example `The Xenon host`. */
  role: string;
  token?: string;
}

/** CONFIGURATION_INVALID for what is no http(s) URL of a host. */
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
  const shown = base.origin;
  const name = `${role} ${shown}`;
  // A query over a large index takes its time before its first byte.
  const patient = {
    ...platform,
    transfer: {
      patienceMs: limits.importPatienceMs,
      silenceMs: limits.importPatienceMs,
      ...platform.transfer,
    },
  };

  return {
    url: shown,
    ask: (method, path, signal, body) =>
      retry(patient, signal, async ({ silenceMs }) => {
        const timeout = AbortSignal.timeout(Math.ceil(silenceMs));
        try {
          const answer = await fetch(shown + path, {
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
          const said = messageOf(text);
          throw said === undefined
            ? error
            : new HostError(error.reason, `${error.message.replace(/\.$/, "")}: ${said}`, {
                metadata: error.metadata,
              });
        } catch (thrown) {
          if (timeout.aborted)
            throw new HostError(
              "DESTINATION_UNREACHABLE",
              `${name} said nothing for ${silenceMs / 1000} s.`,
            );
          const error = fromRequestError(causeOf(thrown), name);
          // For example a port that fetch takes nobody to.
          throw error instanceof HostError || signal.aborted
            ? error
            : new HostError("DESTINATION_REFUSED", `${name} cannot be asked: ${error.message}.`, {
                cause: thrown,
              });
        }
      }),
  };
}

function notAHost(url: string, cause?: unknown): HostError {
  return new HostError(
    "CONFIGURATION_INVALID",
    `${JSON.stringify(url.slice(0, 200))} is no address of a host; write for example http://127.0.0.1:8000.`,
    { cause },
  );
}

/** What fetch rejects with says little; its cause has the errno. */
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
          `${name} answered with more than ${limits.importAnswerBytes} bytes; ask for smaller pages.`,
        );
      parts.push(part);
    }
  }
  return Buffer.concat(parts, size).toString("utf8");
}

/** What an error of the dialect, or of /v1, says of itself. */
function messageOf(text: string): string | undefined {
  try {
    const value = JSON.parse(text) as { message?: unknown };
    return typeof value.message === "string" ? value.message.slice(0, 500) : undefined;
  } catch {
    return undefined;
  }
}
