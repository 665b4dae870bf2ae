import { HostError } from "../../errors.js";
import { withoutSecrets } from "../../security/secrets.js";

/** An http: or https: URI taken apart without changing a byte of what is sent. */
export interface HttpUri {
  secure: boolean;
  /** Without brackets. */
  hostname: string;
  port: number;
  /** The host and its port as they were written: the Host header. */
  authority: string;
  /** Path and query as they were written, percent-escapes included: the target of the request line. */
  target: string;
  /** For messages, logs and answers: scheme, host and path; a query may hold a credential under any name. */
  shown: string;
}

const invalid = (problem: string) =>
  new HostError("DESTINATION_INVALID", `The destination ${problem}.`, {
    metadata: { field: "destination" },
  });

/** DESTINATION_INVALID for what is no URI of the web, holds a password or would have to be changed to be sent. */
export function parseHttpUri(uri: string): HttpUri {
  const [, scheme = "", authority = "", rest = ""] =
    /^(https?):(?:\/\/([^/?#]*))?(.*)$/is.exec(uri) ?? [];
  if (authority.includes("@"))
    throw invalid("holds a user name or password; leave it out, and give a token as bearer");
  const [, bracketed, name, portText] =
    /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(authority) ?? [];
  const hostname = bracketed ?? name;
  // Xenon's words come first: scripts look for them.
  if (hostname === undefined)
    throw invalid(`has no host: Missing host in URI (write ${scheme.toLowerCase()}://host/path)`);
  const secure = scheme.toLowerCase() === "https";
  const port = portText === undefined ? (secure ? 443 : 80) : Number(portText);
  if (port < 1 || port > 65535)
    throw invalid(`at ${hostname} names the port ${port}, which is none`);
  if (rest.includes("#"))
    throw invalid(`at ${authority} has a fragment, which is never sent; write # as %23`);
  if (!/^[\x21-\x7e]*$/.test(rest))
    throw invalid(
      `at ${authority} has characters that no request line may hold; write them as percent-escapes`,
    );
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
