import { closeSync, createReadStream, ftruncateSync, openSync, statSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** The simplest store that takes PUTs with ranges and gives them back: one file. */
export async function plainStore(path: string): Promise<{ port: number; close(): Promise<void> }> {
  const file = openSync(path, "w+");
  const server = createServer((request, response) => {
    if (request.method === "PUT") {
      const [, first = "0", total = "0"] =
        /bytes (\d+)-\d+\/(\d+)/.exec(request.headers["content-range"] ?? "") ?? [];
      let position = Number(first);
      if (position === 0) ftruncateSync(file, Number(total));
      request.on(
        "data",
        (chunk: Buffer) => (position += writeSync(file, chunk, 0, chunk.length, position)),
      );
      request.on("end", () => response.end());
      return;
    }
    const { size } = statSync(path);
    const [, from = "0", to = String(size - 1)] =
      /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "") ?? [];
    const end = Math.min(Number(to), size - 1);
    response.writeHead(206, {
      "content-range": `bytes ${from}-${end}/${size}`,
      "content-length": end - Number(from) + 1,
    });
    createReadStream(path, { start: Number(from), end }).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          closeSync(file);
          resolve();
        });
      }),
  };
}
