import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { startLocalStore } from "./local-store.js";
import { load, serve } from "./process-tools.js";
import { row } from "./table.js";

const bytes = 500;
const rate = 2000;
const lookMs = 50;

interface Policy {
  status: { destinations: { positionMicros: string }[] };
}

async function call<T>(port: number, method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  return (await response.json()) as T;
}

/** How far the backups of the policy are behind the index, at the most while the work runs, in milliseconds. */
async function watchLag<T>(port: number, work: Promise<T>): Promise<{ result: T; lagMs: number }> {
  let lagMs = 0;
  let over = false;
  /** Positions of the index that are not backed up, the oldest first. */
  let seen: number[] = [];
  const watching = (async () => {
    while (!over) {
      const { indexes } = await call<{ indexes: { positionMicros: string }[] }>(
        port,
        "GET",
        "/v1/host",
      );
      const { status } = await call<Policy>(port, "GET", "/v1/policies/bench");
      const written = Number(indexes[0]?.positionMicros ?? 0);
      const backedUp = Number(status.destinations[0]?.positionMicros ?? 0);
      seen = [...seen, written].filter((position) => position > backedUp);
      if (seen[0] !== undefined) lagMs = Math.max(lagMs, (written - seen[0]) / 1000 + lookMs);
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  })();
  try {
    return { result: await work, lagMs };
  } finally {
    over = true;
    await watching;
  }
}

/** What a disaster takes from a continuous policy at a fixed rate, and what synchronous acknowledgement costs. */
export async function benchPolicies(root: string): Promise<void> {
  const directory = join(root, "continuous");
  mkdirSync(directory);
  await measure(join(root, "policies"), "a directory", pathToFileURL(directory).href);
  const store = await startLocalStore(root);
  if (store === undefined) return;
  try {
    const settings = JSON.stringify({ s3: { endpoint: store.endpoint } });
    await measure(join(root, "policies-s3"), "S3", "s3://bench/continuous", settings);
  } finally {
    store.stop();
  }
}

async function measure(
  dataDirectory: string,
  where: string,
  destination: string,
  settings?: string,
): Promise<void> {
  const host = await serve("host-process.mjs", dataDirectory, ...(settings ? [settings] : []));
  const { port } = host;
  const policy = { name: "bench", destination, schedule: { continuous: true } };
  const local = await load(port, { durationMs: 10_000, bytes });
  await call(port, "POST", "/v1/policies", policy);
  // The first backup is a base, which is not what is measured.
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const atRate = { durationMs: 30_000, bytes, rate, first: 1_000_000 };
  const { result, lagMs } = await watchLag(port, load(port, atRate));
  row(
    `continuous policy to ${where} under ${result.perSecond.toFixed(0)} writes/s: what a disaster would take`,
    `${lagMs.toFixed(0)} ms`,
    "",
    undefined,
    "<= 1000 ms",
  );
  await call(port, "PUT", "/v1/policies/bench", {
    ...policy,
    acknowledge: "ACKNOWLEDGE_COPIED",
  });
  for (const connections of [32, 256]) {
    const first = 2_000_000 + connections * 10_000;
    const copied = await load(port, { durationMs: 10_000, connections, bytes, first });
    row(
      `writes acknowledged when copied to ${where}, ${connections} connections`,
      `${copied.perSecond.toFixed(0)}/s, p99 ${copied.p99.toFixed(0)} ms`,
      `acknowledged locally, 32 connections: ${local.perSecond.toFixed(0)}/s, p99 ${local.p99.toFixed(1)} ms`,
      copied.perSecond / local.perSecond,
      "",
    );
  }
  await host.close();
}
