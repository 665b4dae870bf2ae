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
}

/** Marks a forwarded request with the host that forwards it, so that it is not forwarded once more. */
export const forwardedBy = "holdfast-forwarded-by";

/** Returns the host to which a request goes; undefined if this one answers it, if only with an error. */
export function targetOf(
  { leads, leader, hostId }: Leader,
  mark: string | null | undefined,
): Member | undefined {
  if (leads() || (mark ?? "") !== "") return undefined;
  const found = leader();
  return found && found.id !== hostId && found.addresses.http !== "" ? found : undefined;
}

/** LEADER_UNAVAILABLE: the host that answers cannot be reached. */
export const unreachable = ({ id, addresses }: Member, cause: unknown) =>
  new HostError(
    "LEADER_UNAVAILABLE",
    `Host ${id}, which answers this, cannot be reached at ${addresses.http} and ${addresses.grpc} from this host. If it vanished, another one leads within seconds; if not, check --advertise-host, the network and its certificate.`,
    { metadata: { retryAfterSeconds: "1", leader: id }, cause },
  );

/** A request to another host. */
export interface WatchedRequest {
  /** Aborts with the signal of the caller, and when the host shows no sign of life any more. */
  readonly signal: AbortSignal;
  /** The error of a request that failed: LEADER_UNAVAILABLE if the host vanished. */
  errorOf(thrown: unknown): unknown;
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
    errorOf: (thrown) => (vanished.signal.aborted ? unreachable(member, thrown) : thrown),
    end: () => clearInterval(timer),
  };
}
