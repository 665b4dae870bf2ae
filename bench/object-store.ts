import { execFile } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { generateIdentity } from "../src/encryption/identities.js";
import { startLocalStore, type LocalStore } from "./local-store.js";
import { patchDocuments, untilReadable } from "./management.js";
import { load, serve, watchMemory } from "./process-tools.js";
import { slowLink } from "./slow-link.js";
import { median, memoryRow, mib, ms, row } from "./table.js";

const count = 1_000_000;
const bytes = 500;
const rounds = 3;
const linkBytesPerSecond = 400e6 / 8;
const here = import.meta.dirname ?? __dirname;

/** Backups in an object store against the official client, which only moves the same bytes, on versitygw. */
export async function benchObjectStore(root: string): Promise<void> {
  const store = await startLocalStore(root);
  if (store === undefined) return;
  try {
    await measure(root, store);
  } finally {
    store.stop();
  }
}

async function measure(root: string, { bucket, port, endpoint }: LocalStore): Promise<void> {
  const settings = JSON.stringify({ s3: { endpoint } });
  const host = await serve("host-process.mjs", join(root, "host"), settings);
  const pid = host.child.pid ?? 0;
  await load(host.port, { count, bytes });
  const backup = (uri: string, more: object = {}) =>
    operation(host.port, "/v1/backups", { destination: uri, ...more });
  await backup("s3://bench/warm");

  const { recipient, identityFile } = await generateIdentity({ createdMs: Date.now() });
  const kinds: Record<Kind, object> = {
    plain: { compression: "COMPRESSION_NONE" },
    compressed: {},
    encrypted: { encryption: { recipients: [recipient] } },
  };
  const times: Record<Kind, number[]> = { plain: [], compressed: [], encrypted: [] };
  const bare: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const kind of ["plain", "compressed", "encrypted"] as const) {
      const uri = `s3://bench/${kind}-${round}`;
      const watched = await watchMemory(pid, () => backup(uri, kinds[kind]));
      times[kind].push(watched.result.ms);
      if (round === 0) memoryRow(`base to S3, ${kind}`, watched.memory);
    }
    bare.push(await bareS3("upload", endpoint, `bare-${round}`, segmentOf(bucket)));
  }
  const plainSize = mib(sizeOf(bucket, "plain-0"));
  for (const kind of ["plain", "compressed"] as const)
    row(
      `base to S3, ${kind}, ${mib(sizeOf(bucket, `${kind}-0`))}`,
      ms(median(times[kind])),
      `aws-sdk multipart of ${plainSize}: ${ms(median(bare))}`,
      median(bare) / median(times[kind]),
      "",
    );
  row(
    "base to S3, encrypted",
    ms(median(times.encrypted)),
    `not encrypted: ${ms(median(times.compressed))}`,
    median(times.encrypted) / median(times.compressed),
    "<= 1.15",
  );
  await overSlowLink(bucket, port, backup, kinds);

  const changed = Array.from({ length: count / 100 }, (_, i) => (i * 97) % count);
  await patchDocuments(host.port, changed);
  const before = sizeOf(bucket, "compressed-0");
  const incremental = await backup("s3://bench/compressed-0");
  row(
    `incremental of 1 % to S3, ${mib(sizeOf(bucket, "compressed-0") - before)}`,
    ms(incremental.ms),
    `base: ${ms(median(times.compressed))}`,
    incremental.ms / median(times.compressed),
    "",
  );

  await measureRestores(root, endpoint, host, identityFile);
  await host.close();
}

type Kind = "plain" | "compressed" | "encrypted";

/** The link of a data centre or an office, instead of loopback, where the store takes half of the machine. */
async function overSlowLink(
  bucket: string,
  port: number,
  backup: (uri: string, more: object) => Promise<Took>,
  kinds: Record<Kind, object>,
): Promise<void> {
  const link = await slowLink(port, linkBytesPerSecond);
  const endpoint = `http://127.0.0.1:${link.port}`;
  const bare = await bareS3("upload", endpoint, "bare-slow", segmentOf(bucket));
  for (const kind of ["plain", "compressed"] as const) {
    const took = await backup(`s3+${endpoint}/bench/slow-${kind}`, kinds[kind]);
    row(
      `base to S3 over 400 Mbit/s, ${kind}`,
      ms(took.ms),
      `aws-sdk multipart of the plain bytes: ${ms(bare)}`,
      bare / took.ms,
      kind === "plain" ? ">= 0.8" : "",
    );
  }
  await link.close();
}

async function measureRestores(
  root: string,
  endpoint: string,
  { port, child }: { port: number; child: { pid?: number | undefined } },
  identityFile: string,
): Promise<void> {
  const restores: Took[] = [];
  const downloads: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const watched = await watchMemory(child.pid ?? 0, async () => {
      const begun = performance.now();
      const took = await operation(port, "/v1/restores", { source: "s3://bench/plain-0" });
      await untilReadable(port, count - 1);
      return { ...took, ms: performance.now() - begun };
    });
    restores.push(watched.result);
    if (round === 0) memoryRow("restore from S3", watched.memory);
    downloads.push(await bareS3("download", endpoint, `bare-0`, join(root, `download-${round}`)));
  }
  const reference = `aws-sdk ranges to a file: ${ms(median(downloads))}`;
  const fetching = median(restores.map(({ stages }) => stages["fetching"] ?? 0));
  row("restore from S3: fetching", ms(fetching), reference, median(downloads) / fetching, ">= 0.8");
  const whole = median(restores.map((took) => took.ms));
  row(
    "restore from S3 until a document can be read",
    ms(whole),
    reference,
    median(downloads) / whole,
    "",
  );
  const compressed = await operation(port, "/v1/restores", { source: "s3://bench/compressed-1" });
  const decrypted = await operation(port, "/v1/restores", {
    source: "s3://bench/encrypted-1",
    decryption: { identities: identityFile },
  });
  row(
    "restore from S3, encrypted",
    ms(decrypted.ms),
    `compressed only: ${ms(compressed.ms)}`,
    decrypted.ms / compressed.ms,
    "<= 1.15",
  );
}

function sizeOf(bucket: string, name: string): number {
  return readdirSync(join(bucket, name)).reduce(
    (sum, file) => sum + statSync(join(bucket, name, file)).size,
    0,
  );
}

/** Returns the path of the base of the first plain backup. */
function segmentOf(bucket: string): string {
  const plain = join(bucket, "plain-0");
  return join(plain, readdirSync(plain).find((name) => name.startsWith("base-")) ?? "");
}

async function bareS3(kind: string, endpoint: string, key: string, path: string): Promise<number> {
  const args = [join(here, "bare-s3.mjs"), kind, endpoint, "bench", key, path];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return Number(stdout);
}

/** How long an operation took, and each of its stages, in milliseconds. */
interface Took {
  ms: number;
  stages: Record<string, number>;
}

interface OperationView {
  name: string;
  done?: boolean;
  error?: unknown;
  metadata?: { stage?: string };
}

/** Runs an operation to its end. */
async function operation(port: number, path: string, request: object): Promise<Took> {
  const call = async (method: string, target: string, body?: object) => {
    const response = await fetch(`http://127.0.0.1:${port}${target}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    return (await response.json()) as OperationView;
  };
  const begun = performance.now();
  const stages: Took["stages"] = {};
  let view = await call("POST", path, request);
  for (let since = begun; view.done !== true && view.error === undefined;) {
    await sleep(20);
    view = await call("GET", `/v1/${view.name}`);
    const now = performance.now();
    const stage = view.metadata?.stage ?? "";
    stages[stage] = (stages[stage] ?? 0) + now - since;
    since = now;
  }
  if (view.error !== undefined) throw new Error(JSON.stringify(view));
  return { ms: performance.now() - begun, stages };
}
