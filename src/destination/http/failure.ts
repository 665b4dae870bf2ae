import { STATUS_CODES } from "node:http";
import { HostError } from "../../errors.js";
import { errnoOf } from "../../io/file-system.js";

/** Which end a message is about, for example `The destination http://store/b.zip`. */
export type EndName = string;

const certificateProblems: Record<string, string> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet; compare the clocks",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  DEPTH_ZERO_SELF_SIGNED_CERT:
    "its certificate is signed by itself; name it with --ca-file, if it is meant to be trusted",
  SELF_SIGNED_CERT_IN_CHAIN:
    "its certificate comes from an authority that is not trusted here; name that with --ca-file",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "its certificate comes from an authority that is not trusted here; name that with --ca-file",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "its certificate comes from an authority that is not trusted here; name that with --ca-file",
  EPROTO: "it does not speak TLS there; check scheme and port",
};

function tlsProblem(errno: string): string | undefined {
  if (certificateProblems[errno] !== undefined) return certificateProblems[errno];
  if (/^ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)/.test(errno))
    return "it does not take this host's certificate, or wants one; give it with --client-cert and --client-key";
  if (/^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH|UNSUPPORTED|NO_PROTOCOLS)/.test(errno))
    return "it does not speak TLS there; check scheme and port";
  if (/^(CERT_|UNABLE_TO_|ERR_TLS_CERT|INVALID_)/.test(errno))
    return "its certificate is not trusted";
  return undefined;
}

/** Why a request got no whole answer. Only DESTINATION_UNREACHABLE may be tried again. Errors that are not the network's pass as they are. */
export function fromRequestError(thrown: unknown, end: EndName): Error {
  if (thrown instanceof HostError) return thrown;
  const errno = errnoOf(thrown);
  if (errno === undefined)
    return thrown instanceof Error
      ? thrown
      : new Error("The request failed without a reason.", { cause: thrown });
  const metadata = { errno };
  const tls = tlsProblem(errno);
  if (tls !== undefined)
    return new HostError(
      "DESTINATION_REFUSED",
      `${end} cannot be trusted or spoken to: ${tls} (${errno}).`,
      { metadata, cause: thrown },
    );
  const words: Record<string, string> = {
    ECONNREFUSED: "refuses connections",
    ENOTFOUND: "has a host name that nobody knows; check its spelling",
    ECONNRESET: "broke the connection off",
  };
  const what = errno.startsWith("HPE_")
    ? "sent what is no HTTP"
    : (words[errno] ?? "cannot be reached");
  return new HostError("DESTINATION_UNREACHABLE", `${end} ${what} (${errno}).`, {
    metadata,
    cause: thrown,
  });
}

/** A status that is no success. 408, 429 and 5xx may be tried again; `retryAfter` is the header. */
export function fromStatus(
  status: number,
  retryAfter: string | undefined,
  method: string,
  end: EndName,
): HostError {
  const said = `${end} answered ${method} with ${status}${STATUS_CODES[status] === undefined ? "" : ` ${STATUS_CODES[status]}`}`;
  const metadata: Record<string, string> = { status: String(status) };
  if (status >= 300 && status < 400)
    return new HostError(
      "DESTINATION_REFUSED",
      `${said}: redirects are not followed; name the address it leads to.`,
      { metadata },
    );
  const again =
    status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
  if (!again) return new HostError("DESTINATION_REFUSED", `${said}.`, { metadata });
  const seconds = secondsOf(retryAfter);
  if (seconds !== undefined) metadata["retryAfterSeconds"] = String(seconds);
  return new HostError("DESTINATION_UNREACHABLE", `${said}.`, { metadata });
}

function secondsOf(retryAfter: string | undefined): number | undefined {
  if (retryAfter === undefined) return undefined;
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter);
  const date = Date.parse(retryAfter);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

/** Whether the same request may succeed a little later. An unknown host name is a typing error more often than not. */
export function isPassing(thrown: unknown): thrown is HostError {
  return (
    thrown instanceof HostError &&
    thrown.reason === "DESTINATION_UNREACHABLE" &&
    thrown.metadata["errno"] !== "ENOTFOUND"
  );
}
