import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { HostError } from "../../errors.js";
import type { FileSystem } from "../../io/file-system.js";
import { readSmallFile } from "../../io/read-file.js";
import { limits } from "../../limits.js";
import type { HttpHandler } from "./handler.js";
import { requireGet } from "./require-get.js";
import { noSniff, sendJson } from "./respond.js";

const prefix = "/console/";

/** Only what comes from this host, and nothing inline: a document that is shown cannot run. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

/** What a program finds at /. */
const apiIndex = JSON.stringify({
  product: "Holdfast",
  api: "/v1/openapi.json",
  health: "/healthz",
  metrics: "/metrics",
  console: prefix,
});

/**
 * Serves the web console from the files that the build wrote into a directory, without a token: they
 * contain no data. `/` sends browsers there, and tells programs where the API is.
 */
export function createConsole(files: FileSystem, directory: string): HttpHandler {
  return async (request, response) => {
    const [path = ""] = (request.url ?? "").split("?", 1);
    if (path !== "/" && `${path}/` !== prefix && !path.startsWith(prefix)) return false;
    requireGet(request, path);
    if (path === "/" && !acceptsHtml(request)) sendJson(response, 200, apiIndex);
    else if (!path.startsWith(prefix)) redirect(response);
    else await sendFile(request, response, files, directory, path.slice(prefix.length));
    return true;
  };
}

const acceptsHtml = ({ headers }: IncomingMessage) => /\btext\/html\b/.test(headers.accept ?? "");

function redirect(response: ServerResponse): void {
  response.writeHead(302, { location: prefix, "content-length": 0, "cache-control": "no-cache" });
  response.end();
}

/** Sends a file, compressed by the build for clients that accept it. */
async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  files: FileSystem,
  directory: string,
  given: string,
): Promise<void> {
  const name = given === "" ? "index.html" : given;
  const [, extension = ""] = /^[\w-]+(?:\.[\w-]+)*\.([a-z]+)$/.exec(name) ?? [];
  const type = types[extension];
  if (type === undefined) throw notFound(name);
  const packed = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
  const path = join(directory, packed ? `${name}.gz` : name);
  const content = await readSmallFile(files, path, limits.consoleFileBytes).catch(
    (cause: unknown) => {
      throw notFound(name, cause);
    },
  );
  response.writeHead(200, [
    ...["content-type", type],
    ...["content-length", String(content.length)],
    ...(packed ? ["content-encoding", "gzip"] : []),
    ...["vary", "accept-encoding"],
    // Names of scripts and styles contain a digest of their content.
    ...["cache-control", extension === "html" ? "no-cache" : "public, max-age=31536000, immutable"],
    ...["content-security-policy", contentSecurityPolicy],
    ...["referrer-policy", "no-referrer"],
    ...["cross-origin-opener-policy", "same-origin"],
    ...noSniff,
  ]);
  response.end(request.method === "HEAD" ? undefined : content);
}

const notFound = (name: string, cause?: unknown) =>
  new HostError(
    "DOCUMENT_NOT_FOUND",
    `The console has no file ${JSON.stringify(name.slice(0, 100))}.`,
    {
      cause,
    },
  );
