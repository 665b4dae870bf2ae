import { HostError } from "../../errors.js";

/** What the URL of a database says. */
export interface DatabaseUrl {
  servers: { host: string; port: number }[];
  database: string;
  user: string;
  password: string;
  /** Whether the connection is encrypted; absent if the URL does not say. */
  encrypted?: boolean;
}

const shape = "postgres://USER:PASSWORD@HOST[:PORT][,HOST[:PORT]...]/DATABASE[?sslmode=require]";
/** Certificates are always verified, and their names compared. */
const encryptedModes = ["require", "verify-ca", "verify-full"];

/**
 * Reads the URL of a database. CONFIGURATION_INVALID, without a part of the URL: what does not fit into it may be the
 * rest of a password.
 */
export function parseDatabaseUrl(url: string): DatabaseUrl {
  const found =
    /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^@/?#:]*))?(?:\?([^@#]*))?$/i.exec(
      url.trim(),
    );
  if (!found)
    throw invalid(
      `must be ${shape}. Characters like @ / ? # : in a user, password or database must be percent-encoded: %40 %2F %3F %23 %3A.`,
    );
  const [, login = "", hosts = "", database = "", query = ""] = found;
  const [user = "", ...password] = login.split(":");
  const mode = sslModeOf(query);
  return {
    servers: hosts.split(",").map(serverOf),
    database: decoded(database) || "postgres",
    user: decoded(user),
    password: decoded(password.join(":")),
    ...(mode !== undefined && { encrypted: encryptedModes.includes(mode) }),
  };
}

function serverOf(text: string): DatabaseUrl["servers"][number] {
  const [, bracketed, plain, port = "5432"] =
    /^(?:\[([\da-f:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw invalid(
      `has a host or port that is not one: must be ${shape}, with a port from 1 to 65535.`,
    );
  return { host, port: Number(port) };
}

function sslModeOf(query: string): string | undefined {
  let mode: string | undefined;
  for (const [name, value] of new URLSearchParams(query)) {
    if (name !== "sslmode")
      throw invalid(
        "has a parameter other than sslmode. Give a CA with --postgres-ca-file, and a client certificate with --postgres-cert-file and --postgres-key-file.",
      );
    mode = value;
  }
  if (mode !== undefined && mode !== "disable" && !encryptedModes.includes(mode))
    throw invalid(
      `has an unsupported sslmode: use ${encryptedModes.join(", ")}, which all verify the certificate, or disable.`,
    );
  return mode;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("has a % that is no percent-encoding. Write %25 for a percent sign.");
  }
}

const invalid = (problem: string) =>
  new HostError("CONFIGURATION_INVALID", `The URL of the database ${problem}`);
