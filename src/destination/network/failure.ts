import { STATUS_CODES } from "node:http";
import { HostError } from "../../errors.js";
import { errnoOf } from "../../io/file-system.js";

/** Name of the server in messages, for example `The destination http://store/b.zip`. */
export type ServerName = string;

const certificateProblems: Record<string, string> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet; check the clocks",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed; to trust it, use --ca-file",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate authority is not trusted; to trust it, use --ca-file",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "its certificate authority is not trusted; to trust it, use --ca-file",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "its certificate authority is not trusted; to trust it, use --ca-file",
  EPROTO: "it does not use TLS; check scheme and port",
};

function tlsProblem(errno: string): string | undefined {
  if (certificateProblems[errno] !== undefined) return certificateProblems[errno];
  if (/^ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)/.test(errno))
    return "it rejects the client certificate or requires one; use --client-cert and --client-key";
  if (/^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH|UNSUPPORTED|NO_PROTOCOLS)/.test(errno))
    return "it does not use TLS; check scheme and port";
  if (/^(CERT_|UNABLE_TO_|ERR_TLS_CERT|INVALID_)/.test(errno))
    return "its certificate is not trusted";
  return undefined;
}

/**
 * Converts an error of a request. DESTINATION_UNREACHABLE can be retried; DESTINATION_REFUSED, for
 * errors of TLS, cannot. Returns errors without a `code` unchanged.
 */
export function fromRequestError(thrown: unknown, server: ServerName): Error {
  if (thrown instanceof HostError) return thrown;
  const errno = errnoOf(thrown);
  if (errno === undefined)
    return thrown instanceof Error
      ? thrown
      : new Error("The request failed for an unknown reason.", { cause: thrown });
  const metadata = { errno };
  const tls = tlsProblem(errno);
  if (tls !== undefined)
    return new HostError(
      "DESTINATION_REFUSED",
      `${server} failed the TLS handshake: ${tls} (${errno}).`,
      { metadata, cause: thrown },
    );
  const words: Record<string, string> = {
    ECONNREFUSED: "refuses connections",
    ENOTFOUND: "has an unknown host name; check its spelling",
    ECONNRESET: "closed the connection",
  };
  const what = errno.startsWith("HPE_")
    ? "sent an invalid HTTP response"
    : (words[errno] ?? "cannot be reached");
  return new HostError(
    "DESTINATION_UNREACHABLE",
    `${server} ${what} (${errno}${addressOf(thrown)}).`,
    {
      metadata,
      cause: thrown,
    },
  );
}

/** Node states the address of a failed connection, or the name of a failed lookup. */
function addressOf(thrown: unknown): string {
  const { address, port, hostname } = thrown as Partial<Record<string, unknown>>;
  if (typeof address === "string" && typeof port === "number")
    return ` ${address.includes(":") ? `[${address}]` : address}:${port}`;
  return typeof hostname === "string" ? ` ${hostname}` : "";
}

/**
 * Converts an error status: DESTINATION_UNREACHABLE for 408, 429 and 5xx, which can be retried, and
 * DESTINATION_REFUSED for others. `retryAfter` is the header.
 */
export function fromStatus(
  status: number,
  retryAfter: string | undefined,
  method: string,
  server: ServerName,
): HostError {
  const problem = `${server} responded to ${method} with ${status}${STATUS_CODES[status] === undefined ? "" : ` ${STATUS_CODES[status]}`}`;
  const metadata: Record<string, string> = { status: String(status) };
  if (status >= 300 && status < 400)
    return new HostError(
      "DESTINATION_REFUSED",
      `${problem}: redirects are not followed. Use the address to which it redirects.`,
      { metadata },
    );
  const isTransient =
    status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
  if (!isTransient) return new HostError("DESTINATION_REFUSED", `${problem}.`, { metadata });
  const seconds = secondsOf(retryAfter);
  if (seconds !== undefined) metadata["retryAfterSeconds"] = String(seconds);
  return new HostError("DESTINATION_UNREACHABLE", `${problem}.`, { metadata });
}

function secondsOf(retryAfter: string | undefined): number | undefined {
  if (retryAfter === undefined) return undefined;
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter);
  const date = Date.parse(retryAfter);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}
