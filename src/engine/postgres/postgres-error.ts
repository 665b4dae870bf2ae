import { HostError } from "../../errors.js";

/** The fields of an error of the server that are used; `pg` gives errors of the connection other codes, or none. */
interface ServerError {
  code?: string;
  message: string;
}

const asServerError = (thrown: unknown): ServerError =>
  typeof thrown === "object" && thrown !== null && "message" in thrown
    ? (thrown as ServerError)
    : { message: String(thrown) };

/** Whether the connection is lost, or the server is starting, stopping or failing over (classes 08 and 57P). */
export function isConnectionLost(thrown: unknown): boolean {
  // No server may be used at present, as during a failover.
  if (thrown instanceof HostError) return thrown.reason === "DATABASE_UNAVAILABLE";
  const { code, message } = asServerError(thrown);
  if (code === undefined)
    return /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout expired|Query read timeout)/i.test(
      message,
    );
  return (
    /^(08|57P0[1-3]$|25P03$)/.test(code) ||
    /^(ECONN|EPIPE|EHOST|ENET|ETIMEDOUT|ENOTFOUND|EAI_)/.test(code)
  );
}

/** Whether nothing was committed and the same transaction may succeed: a conflict with another one. */
export function isConflict(thrown: unknown): boolean {
  return ["40001", "40P01", "23505", "55P03"].includes(asServerError(thrown).code ?? "");
}

/** Whether the server is a standby, so that the primary is at another address. */
export const isStandby = (thrown: unknown) => asServerError(thrown).code === "25006";

/** Whether a table does not exist: its generation was removed. */
export const isTableMissing = (thrown: unknown) => asServerError(thrown).code === "42P01";

/** Whether a prepared statement is not in this session, or one of another client is: a pooler is in between. */
export const isPreparationLost = (thrown: unknown) =>
  ["26000", "42P05"].includes(asServerError(thrown).code ?? "");

/** Whether a lock was not free within lock_timeout. */
export const isLockTimeout = (thrown: unknown) => asServerError(thrown).code === "55P03";

/** Whether a unique key is violated. */
export const isDuplicate = (thrown: unknown) => asServerError(thrown).code === "23505";

/** DATABASE_UNAVAILABLE: `what` names the activity. */
const unavailable = (what: string, thrown: unknown) =>
  new HostError(
    "DATABASE_UNAVAILABLE",
    `${what} failed: the database is unreachable or not ready (${asServerError(thrown).message}). A running host tries again by itself. Check the server and its address.`,
    { metadata: { retryAfterSeconds: "1" }, cause: thrown },
  );

/** Converts an error of the driver or the server. `what` names the activity. */
export function fromPostgres(thrown: unknown, what: string): HostError {
  if (thrown instanceof HostError) return thrown;
  const { code = "", message } = asServerError(thrown);
  if (isConnectionLost(thrown) || isStandby(thrown)) return unavailable(what, thrown);
  if (code === "53100")
    return new HostError(
      "STORAGE_FULL",
      `${what} failed: the disk of the database is full. Nothing was changed. Free space there and try again.`,
      { cause: thrown },
    );
  if (isLockTimeout(thrown))
    return new HostError(
      "DATABASE_UNAVAILABLE",
      `${what} failed: another transaction held the lock for too long, as one does that waits for a synchronous standby. Nothing was changed. Check the replication, and try again.`,
      { metadata: { retryAfterSeconds: "1" }, cause: thrown },
    );
  if (code === "57014")
    return new HostError(
      "DATABASE_UNAVAILABLE",
      `${what} failed: the database cancelled the statement (${message}). Set statement_timeout to 0 for the user of the host.`,
      { metadata: { retryAfterSeconds: "1" }, cause: thrown },
    );
  if (code === "3D000")
    return new HostError(
      "CONFIGURATION_INVALID",
      `${what} failed: ${message}. Create it, or change --postgres-url.`,
      { cause: thrown },
    );
  if (code === "" && /does not support SSL/.test(message))
    return new HostError(
      "CONFIGURATION_INVALID",
      `${what} failed: the server has no TLS (${message}). Configure it there, or leave out sslmode and --postgres-ca-file.`,
      { cause: thrown },
    );
  if (/^53/.test(code) || isConflict(thrown))
    return new HostError(
      "DATABASE_UNAVAILABLE",
      `${what} failed: the database is overloaded (${message}). Nothing was changed. Try again.`,
      { metadata: { retryAfterSeconds: "1" }, cause: thrown },
    );
  if (/^(SELF_SIGNED|UNABLE_TO|CERT_|DEPTH_ZERO|ERR_TLS|ERR_SSL)/.test(code))
    return new HostError(
      "CONFIGURATION_INVALID",
      `${what} failed: the certificates of this host and the database do not match (${code}). Check --postgres-ca-file, the names in the certificate of the server, and --postgres-cert-file.`,
      { cause: thrown },
    );
  if (/^(28|42501)/.test(code))
    return new HostError(
      "CONFIGURATION_INVALID",
      `${what} failed: the database refuses this user (${message}). Check --postgres-url and the grants of the user.`,
      { cause: thrown },
    );
  if (/^(XX00[12]|58)/.test(code))
    return new HostError(
      "INDEX_DAMAGED",
      `${what} failed: the database is damaged (${code}: ${message}). Restore the index from a backup.`,
      { cause: thrown },
    );
  return new HostError("INTERNAL", `${what} failed in the database (${code || message}).`, {
    cause: thrown,
  });
}
