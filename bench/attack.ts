import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { nextMessage, serve, watchMemory } from "./process-tools.js";
import { ms, row } from "./table.js";

const here = import.meta.dirname ?? __dirname;

/** What is done to the host, and what that is. Those with a token have the role write. */
const attacks: [name: string, what: string][] = [
  ["large-text", "documents of 16 MB, not ASCII"],
  ["members", "documents of 250,000 members, 13 MB"],
  ["too-many-members", "documents of 1.2 million members"],
  ["large-json", "documents of 16 MB in base64 to Connect"],
  ["large-rest", "the same to /v1"],
  ["nested", "24 MB of open brackets to Connect"],
  ["struct", "Structs of 5,900 members"],
  ["import", "imports of lines of 14 MB"],
  ["read", "reads of a document of 16 MB"],
  ["wildcard", "WILDCARD of 80 KB over a field of 16 MB"],
  ["bodies", "70 bodies of 16 MB that never finish"],
  ["grpc-with-token", "40 gRPC messages of 19 MB that never finish"],
  ["grpc-without-token", "100 of them without a token"],
  ["health-watches", "10,000 health watches without a token"],
  ["connections", "6,000 silent connections"],
  ["tokens", "64 connections that guess tokens"],
];

/** What a client can do to the others: how long /healthz waits, and how the memory of the host grows, while one of them does its worst. */
export async function benchAttack(root: string): Promise<void> {
  const host = await serve(
    "host-process.mjs",
    join(root, "attacked"),
    JSON.stringify({ tokens: "writer write,read\nadmin admin" }),
  );
  const probe = await serve("probe.mjs", String(host.port));
  const ask = async (message: string) => {
    const answer = nextMessage(probe.child);
    probe.child.send(message);
    return (await answer) as { longest: number; failed: number };
  };
  await ask("longest");
  const run = (name: string) =>
    promisify(execFile)(process.execPath, [
      join(here, "attack-load.mjs"),
      name,
      String(host.port),
      String(host.grpcPort),
    ]);
  // What else runs on the machine makes the probe wait too.
  await run("nothing");
  const idle = `nothing done: ${ms((await ask("longest")).longest)}`;
  const stall = async () => {
    const answer = nextMessage(host.child);
    host.child.send("stall");
    return ((await answer) as { stallMs: number }).stallMs;
  };
  for (const [name, what] of attacks) {
    await stall();
    const { memory } = await watchMemory(host.child.pid ?? 0, () => run(name));
    const { longest, failed } = await ask("longest");
    row(
      `${what}: longest wait for /healthz`,
      `${ms(longest)}${failed > 0 ? `, ${failed} failed` : ""}`,
      idle,
      undefined,
      "<= 100 ms",
    );
    // What the host itself keeps a client waiting; the rest of the wait is for a core.
    row(
      `${what}: longest turn of the host's event loop`,
      ms(await stall()),
      "",
      undefined,
      "<= 100 ms",
    );
    row(
      `${what}: memory of the host`,
      `${(memory.idle + memory.growth).toFixed(0)} MiB`,
      "",
      undefined,
      "< 1.25 GiB",
    );
  }
  await probe.close();
  await host.close();
}
