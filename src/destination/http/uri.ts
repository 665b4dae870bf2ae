import { HostError } from "../../errors.js";
import { withoutSecrets } from "../../security/secrets.js";

/** A parsed http: or https: URI. Its parts are sent exactly as they were written. */
export interface HttpUri {
  secure: boolean;
  /** Name or address, without brackets. */
  hostname: string;
  port: number;
  /** Host and port as they were written: the Host header. */
  authority: string;
  /** Path and query as they were written: the target of the request line. */
  target: string;
  /**
   * Scheme, host and path for messages. The query is omitted, because it may contain credentials.
   */
  shown: string;
}

const invalid = (problem: string) =>
  new HostError("DESTINATION_INVALID", `Invalid destination: ${problem}.`, {
    metadata: { field: "destination" },
  });

/**
 * Parses an http: or https: URI. Throws DESTINATION_INVALID for an invalid URI, a password, a
 * fragment or unescaped characters.
 */
export function parseHttpUri(uri: string): HttpUri {
  const [, scheme = "", authority = "", rest = ""] =
    /^(https?):(?:\/\/([^/?#]*))?(.*)$/is.exec(uri) ?? [];
  if (authority.includes("@"))
    throw invalid("it contains a user name or password (remove it, and send a token as bearer)");
  const [, bracketed, name, portText] =
    /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(authority) ?? [];
  const hostname = bracketed ?? name;
  // Scripts search for the message of Xenon.
  if (hostname === undefined)
    throw invalid(`Missing host in URI (use ${scheme.toLowerCase()}://host/path)`);
  const secure = scheme.toLowerCase() === "https";
  const port = portText === undefined ? (secure ? 443 : 80) : Number(portText);
  if (port < 1 || port > 65535)
    throw invalid(`invalid port ${port} at ${hostname} (use 1 to 65535)`);
  if (rest.includes("#")) throw invalid(`it has a fragment at ${authority} (escape # as %23)`);
  if (!/^[\x21-\x7e]*$/.test(rest))
    throw invalid(`it contains characters at ${authority} that require percent-escapes`);
  const target = rest.startsWith("/") ? rest : `/${rest}`;
  return {
    secure,
    hostname,
    port,
    authority,
    target,
    shown: `${scheme.toLowerCase()}://${authority}${withoutSecrets(target)}`,
  };
}
