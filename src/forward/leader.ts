import type { Member } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";

/** What forwarding knows of the host that leads. */
export interface Leader {
  /** Whether this host leads, so that it answers itself. */
  leads(): boolean;
  /** The leader as last seen. */
  leader(): Member | undefined;
  /** All hosts, as last seen. */
  members(): readonly Member[];
  /** ID of this host. */
  hostId: string;
  /** Whether this host speaks TLS: then it sends no tokens to one that does not. */
  tls: boolean;
}

/** Marks a forwarded request with the host that forwards it, so that it is not forwarded once more. */
export const forwardedBy = "holdfast-forwarded-by";

/** Returns the host to which a request goes; undefined if this one answers it, if only with an error. */
export function targetOf(from: Leader, mark: string | null | undefined): Member | undefined {
  if (from.leads() || (mark ?? "") !== "") return undefined;
  const found = from.leader();
  return found && canAsk(from, found) ? found : undefined;
}

/** Whether a request may be forwarded to a host. */
export const canAsk = ({ hostId, tls }: Leader, { id, addresses, isAlive }: Member): boolean =>
  id !== hostId && isAlive && addresses.http !== "" && (addresses.tls || !tls);

/** A request to another host. */
export interface WatchedRequest {
  /** Aborts with the signal of the caller, and when the host shows no sign of life any more. */
  readonly signal: AbortSignal;
  /**
   * The error of a request that failed. `isRead`: it may be repeated. Without an answer of the host, LEADER_UNAVAILABLE
   * if it was not sent or may be repeated, else OUTCOME_UNKNOWN.
   */
  errorOf(thrown: unknown, isRead: boolean): HostError;
  /** Must be called when the request has ended. */
  end(): void;
}

/** Watches a host during a request: one that is suspended accepts connections, and answers never. */
export function watchRequest(
  { members }: Pick<Leader, "members">,
  member: Member,
  signal: AbortSignal,
): WatchedRequest {
  const vanished = new AbortController();
  const timer = setInterval(() => {
    if (!members().find(({ id }) => id === member.id)?.isAlive) vanished.abort();
  }, limits.databaseBeatMs / 2).unref();
  return {
    signal: AbortSignal.any([signal, vanished.signal]),
    errorOf(thrown, isRead) {
      if (!vanished.signal.aborted) {
        // The answer of the host, or the end of the request by its caller.
        if (thrown instanceof HostError) return thrown;
        if (signal.aborted) return HostError.from(signal.reason);
        if (isDeadline(thrown))
          return new HostError("DEADLINE", "The deadline of the call was exceeded.");
      }
      return noAnswer(member, thrown, isRead || isRefused(thrown));
    },
    end: () => clearInterval(timer),
  };
}

function noAnswer({ id, addresses }: Member, cause: unknown, mayRepeat: boolean): HostError {
  const problem = `Host ${id}, which answers this, cannot be reached at ${addresses.http} and ${addresses.grpc} from this host, or did not answer.`;
  return mayRepeat
    ? new HostError(
        "LEADER_UNAVAILABLE",
        `${problem} If it vanished, another one leads within seconds; if not, check --advertise-host, the network and its certificate.`,
        { metadata: { retryAfterSeconds: "1", leader: id }, cause },
      )
    : new HostError(
        "OUTCOME_UNKNOWN",
        `${problem} It may have done what was asked: look, for example at the operations, before you ask again.`,
        { metadata: { leader: id }, cause },
      );
}

/** Whether no connection was made, so that nothing was sent. */
const isRefused = (thrown: unknown): boolean =>
  thrown instanceof Error &&
  (("code" in thrown &&
    typeof thrown.code === "string" &&
    /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|ERR_TLS)/.test(
      thrown.code,
    )) ||
    isRefused(thrown.cause));

/** DEADLINE_EXCEEDED, as Connect numbers it. */
const isDeadline = (thrown: unknown): boolean =>
  thrown instanceof Error && "code" in thrown && thrown.code === 4;
