import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { delimiter, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { generateIdentity } from "../src/encryption/identities.js";
import { patchDocuments, untilReadable } from "./management.js";
import { load, serve, watchMemory } from "./process-tools.js";
import { median, memoryRow, mib, ms, row } from "./table.js";

const count = 1_000_000;
const bytes = 500;
const rounds = 3;
const here = import.meta.dirname ?? __dirname;

/** Backups in an object store against the official client, which only moves the same bytes, on versitygw. */
export async function benchObjectStore(root: string): Promise<void> {
  const program = [resolve(".cache/go-bin"), ...(process.env["PATH"] ?? "").split(delimiter)]
    .map((directory) => join(directory, "versitygw"))
    .find((path) => existsSync(path));
  if (program === undefined) {
    process.stderr.write("SKIPPED: object-store needs versitygw, which .ci/run installs.\n");
    return;
  }
  process.env["AWS_ACCESS_KEY_ID"] = "bench";
  process.env["AWS_SECRET_ACCESS_KEY"] = "bench-secret";
  process.env["AWS_EC2_METADATA_DISABLED"] = "true";
  const bucket = join(root, "store", "bench");
  mkdirSync(bucket, { recursive: true });
  mkdirSync(join(root, "sidecar"));
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const store = spawn(
    program,
    [
      ...["--port", `127.0.0.1:${port}`, "--access", "bench", "--secret", "bench-secret"],
      ...["--keep-alive", "--quiet", "posix", "--sidecar", join(root, "sidecar")],
      join(root, "store"),
    ],
    { stdio: "ignore" },
  );
  process.once("exit", () => store.kill());
  await sleep(1000);
  try {
    await measure(root, bucket, endpoint);
  } finally {
    store.kill();
  }
}

async function measure(root: string, bucket: string, endpoint: string): Promise<void> {
  const settings = JSON.stringify({ s3: { endpoint } });
  const host = await serve("host-process.mjs", join(root, "host"), settings);
  const pid = host.child.pid ?? 0;
  await load(host.port, { count, bytes });
  const backup = (name: string, more: object = {}) =>
    operation(host.port, "/v1/backups", { destination: `s3://bench/${name}`, ...more });
  await backup("warm");

  const { recipient, identityFile } = await generateIdentity({ createdMs: Date.now() });
  const encryption = { recipients: [recipient] };
  const kinds = {
    plain: { compression: "COMPRESSION_NONE" },
    compressed: {},
    encrypted: { encryption },
  };
  const times = { plain: [] as number[], compressed: [] as number[], encrypted: [] as number[] };
  const bare: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, more] of Object.entries(kinds)) {
      const watched = await watchMemory(pid, () => backup(`${name}-${round}`, more));
      times[name as keyof typeof kinds].push(watched.result);
      if (round === 0) memoryRow(`base to S3, ${name}`, watched.memory);
    }
    const plain = join(bucket, "plain-0");
    const segment = readdirSync(plain).find((name) => name.startsWith("base-")) ?? "";
    bare.push(await bareS3("upload", endpoint, `bare-${round}`, join(plain, segment)));
  }
  const size = (name: string) =>
    readdirSync(join(bucket, name)).reduce(
      (sum, file) => sum + statSync(join(bucket, name, file)).size,
      0,
    );
  const reference = `aws-sdk multipart of ${mib(size("plain-0"))}: ${ms(median(bare))}`;
  for (const name of ["plain", "compressed"] as const)
    row(
      `base to S3, ${name}, ${mib(size(`${name}-0`))}`,
      ms(median(times[name])),
      reference,
      median(bare) / median(times[name]),
      ">= 0.8",
    );
  row(
    "base to S3, encrypted",
    ms(median(times.encrypted)),
    `not encrypted: ${ms(median(times.compressed))}`,
    median(times.encrypted) / median(times.compressed),
    "<= 1.15",
  );

  const changed = Array.from({ length: count / 100 }, (_, i) => (i * 97) % count);
  await patchDocuments(host.port, changed);
  const before = size("compressed-0");
  const incremental = await backup("compressed-0");
  row(
    `incremental of 1 % to S3, ${mib(size("compressed-0") - before)}`,
    ms(incremental),
    `base: ${ms(median(times.compressed))}`,
    incremental / median(times.compressed),
    "",
  );

  const restores: number[] = [];
  const downloads: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const watched = await watchMemory(pid, async () => {
      const begun = performance.now();
      await operation(host.port, "/v1/restores", { source: "s3://bench/plain-0" });
      await untilReadable(host.port, count - 1);
      return performance.now() - begun;
    });
    restores.push(watched.result);
    if (round === 0) memoryRow("restore from S3", watched.memory);
    downloads.push(await bareS3("download", endpoint, `bare-0`, join(root, `download-${round}`)));
  }
  row(
    "restore from S3 until a document can be read",
    ms(median(restores)),
    `aws-sdk ranges to a file: ${ms(median(downloads))}`,
    median(downloads) / median(restores),
    "",
  );
  const decrypted = await operation(host.port, "/v1/restores", {
    source: "s3://bench/encrypted-0",
    decryption: { identities: identityFile },
  });
  row("restore from S3, encrypted", ms(decrypted), "", undefined, "");
  await host.close();
}

async function bareS3(kind: string, endpoint: string, key: string, path: string): Promise<number> {
  const args = [join(here, "bare-s3.mjs"), kind, endpoint, "bench", key, path];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return Number(stdout);
}

/** Starts an operation and returns the milliseconds until its end. */
async function operation(port: number, path: string, request: object): Promise<number> {
  const call = async (method: string, target: string, body?: object) => {
    const response = await fetch(`http://127.0.0.1:${port}${target}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    return (await response.json()) as { name: string; done?: boolean; error?: unknown };
  };
  const begun = performance.now();
  let view = await call("POST", path, request);
  while (view.done !== true && view.error === undefined) {
    await sleep(20);
    view = await call("GET", `/v1/${view.name}`);
  }
  if (view.error !== undefined) throw new Error(JSON.stringify(view));
  return performance.now() - begun;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
