import { readdirSync, readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { startDialectHost, type DialectHost } from "./dialect-host.js";
import { temporaryDirectory } from "./temporary-directory.js";

export const octets = { "content-type": "application/octet-stream" };
export const json = (text: string) => JSON.parse(text) as Record<string, unknown>;

/** Starts a host before each test of the file, with a directory for its /local-files: the service `up` writes `up.zip`. */
export function localFiles() {
  let host: DialectHost;
  let root: string;

  async function stop() {
    await host.server.close(0);
    await host.fileStore.close();
  }
  beforeEach(async () => {
    root = temporaryDirectory();
    host = await startDialectHost({
      pace: { takeoverMs: 300, idleMs: 3600_000, sweepMs: 3600_000 },
    });
  });
  afterEach(stop);

  const path = (name: string) => join(root, name);
  const post = (body: object) => host.call("POST", "/local-files", body);
  const get = (link: string, range?: string, more: Record<string, string> = {}) =>
    host.call("GET", `/local-files/${link}`, undefined, {
      ...(range !== undefined && { range }),
      ...more,
    });
  return {
    get host() {
      return host;
    },
    get root() {
      return root;
    },
    async restart(options: Parameters<typeof startDialectHost>[0]) {
      await stop();
      host = await startDialectHost(options);
    },
    path,
    post,
    create: (link: string, fileOptions: string[] = ["WRITE", "CREATE"]) =>
      post({ documentSelfLink: link, localFileUri: `file:${path(`${link}.zip`)}`, fileOptions }),
    put: (link: string, range: string | undefined, body: string | Buffer) =>
      host.call("PUT", `/local-files/${link}`, Buffer.from(body), {
        ...octets,
        ...(range !== undefined && { "content-range": range }),
      }),
    get,
    received: async (link: string) => json((await get(link)).text)["receivedRanges"],
    read: (link: string) => readFileSync(path(`${link}.zip`), "utf8"),
    /** Names in the directory other than finished files. */
    leftovers: () => readdirSync(root).filter((name) => name.startsWith(".")),
    /** Sends a part of a PUT, and the rest when the test continues. */
    begin(link: string, range: string, length: number, part: string) {
      const request = httpRequest({
        host: "127.0.0.1",
        port: host.port,
        method: "PUT",
        path: `/local-files/${link}`,
        headers: { ...octets, "content-range": range, "content-length": length },
      });
      const answer = new Promise<number>((resolve) => {
        request.on("response", (response) => resolve(response.resume().statusCode ?? 0));
        request.on("error", () => resolve(0));
      });
      request.write(part);
      return { request, answer };
    },
  };
}
