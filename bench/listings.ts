import { join } from "node:path";
import { drained } from "./drained.js";
import { load, nextMessage, serve, watchMemory } from "./process-tools.js";
import { ms, row } from "./table.js";

const count = 100_000;

/** Listings and queries of 100,000 documents of 500 B in one answer: each by a host that was started anew, and so has little memory yet. */
export async function benchListings(root: string): Promise<void> {
  const data = join(root, "listings");
  const loading = await serve("host-process.mjs", data);
  await load(loading.port, { count, bytes: 500 });
  await loading.close();
  const query = (spec: object) => ({
    taskInfo: { isDirect: true },
    querySpec: {
      query: { term: { propertyName: "documentKind", matchValue: "bench:kind" } },
      ...spec,
    },
  });
  const sorted = {
    options: ["SORT"],
    sortTerm: { propertyName: "documentSelfLink", propertyType: "STRING" },
  };
  const works: [name: string, path: string, body?: object][] = [
    ["GET of a factory, links", "/bench"],
    ["GET of a factory, expanded", "/bench?expand"],
    ["query task, links", "/core/query-tasks", query({})],
    ["query task, EXPAND_CONTENT", "/core/query-tasks", query({ options: ["EXPAND_CONTENT"] })],
    ["query task, COUNT", "/core/query-tasks", query({ options: ["COUNT"] })],
    ["query task, sorted links", "/core/query-tasks", query(sorted)],
  ];
  for (const [name, path, body] of works) {
    const host = await serve("host-process.mjs", data);
    await drained(host.port, "/bench?$limit=10");
    host.child.send("stall");
    await nextMessage(host.child);
    const { result, memory } = await watchMemory(host.child.pid ?? 0, () =>
      drained(host.port, path, body),
    );
    host.child.send("stall");
    const { stallMs } = (await nextMessage(host.child)) as { stallMs: number };
    await host.close();
    const growth = `host +${memory.growth.toFixed(0)} MiB, longest stall ${ms(stallMs)}`;
    row(
      `${name}, ${count} documents, ${(result.bytes / 1048576).toFixed(1)} MiB`,
      `${ms(result.took)}, ${growth}`,
      "",
      undefined,
      "< +64 MiB",
    );
  }
}
