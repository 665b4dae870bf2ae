import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";

/** A parsed s3:, s3+https: or s3+http: URI. */
export interface S3Uri {
  /** Server of an s3+https: or s3+http: URI. Absent for s3:, which uses the configured endpoint. */
  endpoint?: S3Endpoint;
  bucket: string;
  /** Names between the slashes after the bucket, with percent-escapes decoded. */
  path: string[];
}

/** A server of the S3 protocol. */
export interface S3Endpoint {
  secure: boolean;
  /** Name or address, without brackets. */
  hostname: string;
  port: number;
  /** As a URL without a path. */
  url: string;
}

const invalid = (problem: string) =>
  new HostError("DESTINATION_INVALID", `Invalid S3 destination: ${problem}.`, {
    metadata: { field: "destination" },
  });

/**
 * Parses `s3://BUCKET/PREFIX`, `s3+https://HOST[:PORT]/BUCKET/PREFIX` or the same with s3+http. Throws
 * DESTINATION_INVALID for an invalid URI. No message contains a part of the URI that may be a secret.
 */
export function parseS3Uri(uri: string): S3Uri {
  const [, scheme = "", authority = "", rest = ""] =
    /^(s3|s3\+https|s3\+http):\/\/([^/?#]*)(.*)$/is.exec(uri) ?? [];
  if (scheme === "") throw invalid("use s3://BUCKET/PREFIX or s3+https://HOST/BUCKET/PREFIX");
  if (authority.includes("@"))
    throw invalid(
      "it contains credentials; remove them, and use the environment, a credentials file or a role of the machine",
    );
  if (/[?#]/.test(rest)) throw invalid("it has a query or fragment (escape ? as %3F and # as %23)");
  const names = namesOf(rest);
  if (scheme.toLowerCase() === "s3") return { bucket: bucketOf(authority), path: checked(names) };
  const [bucket = "", ...path] = names;
  return {
    endpoint: parseS3Endpoint(`${scheme.slice("s3+".length).toLowerCase()}://${authority}`),
    bucket: bucketOf(bucket),
    path: checked(path),
  };
}

/** Parses an endpoint: `https://HOST[:PORT]`, or http. Throws DESTINATION_INVALID. */
export function parseS3Endpoint(text: string): S3Endpoint {
  const [, scheme = "", bracketed, name, portText] =
    /^(https?):\/\/(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?\/?$/i.exec(text) ?? [];
  const hostname = bracketed ?? name;
  if (hostname === undefined)
    throw invalid("the endpoint must be https://HOST or https://HOST:PORT, or the same with http");
  const secure = scheme.toLowerCase() === "https";
  const port = portText === undefined ? (secure ? 443 : 80) : Number(portText);
  if (port < 1 || port > 65535) throw invalid(`invalid port ${port} (use 1 to 65535)`);
  const url = text.replace(/\/$/, "").toLowerCase();
  return { secure, hostname: hostname.toLowerCase(), port, url };
}

/** Returns the URI of a namespace or object, in its canonical form. */
export function formatS3Uri({ endpoint, bucket, path }: S3Uri): string {
  const server = endpoint === undefined ? "s3:/" : `s3+${endpoint.url}`;
  return [server, bucket, ...path.map(encodeURIComponent)].join("/");
}

function namesOf(rest: string): string[] {
  const text = rest.replace(/^\//, "").replace(/\/$/, "");
  if (text === "") return [];
  try {
    return text.split("/").map(decodeURIComponent);
  } catch {
    throw invalid("it has an invalid percent-escape (escape % as %25)");
  }
}

function bucketOf(name: string): string {
  // Older buckets may have upper case and underscores.
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(name)) return name;
  throw invalid(
    name === "" ? "the bucket is missing" : `invalid bucket name ${JSON.stringify(name)}`,
  );
}

/** Names that a store, a proxy or a file system behind it could resolve to another key are refused. */
function checked(path: string[]): string[] {
  for (const name of path) {
    if (name === "" || name === "." || name === "..")
      throw invalid(`its path contains ${JSON.stringify(name)} between two slashes`);
    if (/[\u0000-\u001f\u007f/\\]/.test(name))
      throw invalid("its path contains a control character, an escaped slash or a backslash");
  }
  const bytes = Buffer.byteLength(path.join("/"));
  if (bytes > limits.s3PrefixBytes)
    throw invalid(`its path has ${bytes} bytes, and the limit is ${limits.s3PrefixBytes}`);
  return path;
}
