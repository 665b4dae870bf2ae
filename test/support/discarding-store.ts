import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A store that keeps no bytes: it checks that every byte of a file arrives once, and returns ranges of zeros. */
export async function discardingStore() {
  const ranges: [first: number, last: number][] = [];
  const problems: string[] = [];
  let total = 0;
  const zeros = Buffer.alloc(1 << 20);
  const server = createServer((incoming, response) => {
    if (incoming.method === "GET") {
      const [, from = "0", to = "0"] =
        /^bytes=(\d+)-(\d+)$/.exec(incoming.headers.range ?? "") ?? [];
      const first = Number(from);
      const last = Math.min(Number(to), total - 1);
      response.writeHead(206, {
        "content-range": `bytes ${first}-${last}/${total}`,
        "content-length": last - first + 1,
        etag: '"zeros"',
      });
      let left = last - first + 1;
      const more = () => {
        while (left > 0) {
          const piece = zeros.subarray(0, Math.min(left, zeros.length));
          left -= piece.length;
          if (!response.write(piece)) return void response.once("drain", more);
        }
        response.end();
      };
      return more();
    }
    const [, from = "", to = "", all = ""] =
      /^bytes (\d+)-(\d+)\/(\d+)$/.exec(incoming.headers["content-range"] ?? "") ?? [];
    total = Number(all);
    const wanted = Number(to) - Number(from) + 1;
    let got = 0;
    incoming.on("data", (chunk: Buffer) => (got += chunk.length));
    incoming.on("end", () => {
      if (got !== wanted || Number(incoming.headers["content-length"]) !== wanted)
        problems.push(`${got} bytes for ${from}-${to}`);
      ranges.push([Number(from), Number(to)]);
      response.writeHead(200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/big.zip`,
    total: () => total,
    problems,
    /** Whether the received ranges cover the whole file without gaps or overlaps. */
    isWhole() {
      let next = 0;
      for (const [first, last] of ranges.sort(([a], [b]) => a - b)) {
        if (first !== next) return false;
        next = last + 1;
      }
      return next === total;
    },
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
