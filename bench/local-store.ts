import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram } from "./process-tools.js";

/** versitygw on loopback, with the bucket "bench". */
export interface LocalStore {
  endpoint: string;
  port: number;
  /** Directory with the objects of the bucket. */
  bucket: string;
  stop(): void;
}

/** Starts the store below a directory, with its credentials in the environment; undefined, with a message, without versitygw. */
export async function startLocalStore(root: string): Promise<LocalStore | undefined> {
  const program = findProgram("versitygw", resolve(".cache/go-bin"));
  if (program === undefined) {
    process.stderr.write("SKIPPED: object stores need versitygw, which .ci/run installs.\n");
    return undefined;
  }
  process.env["AWS_ACCESS_KEY_ID"] = "bench";
  process.env["AWS_SECRET_ACCESS_KEY"] = "bench-secret";
  process.env["AWS_EC2_METADATA_DISABLED"] = "true";
  const bucket = join(root, "store", "bench");
  mkdirSync(bucket, { recursive: true });
  mkdirSync(join(root, "sidecar"));
  const port = await freePort();
  const store = spawn(
    program,
    [
      ...["--port", `127.0.0.1:${port}`, "--access", "bench", "--secret", "bench-secret"],
      ...["--keep-alive", "--quiet", "posix", "--sidecar", join(root, "sidecar")],
      join(root, "store"),
    ],
    { stdio: "ignore" },
  );
  const stop = () => void store.kill();
  process.once("exit", stop);
  await sleep(1000);
  return { endpoint: `http://127.0.0.1:${port}`, port, bucket, stop };
}

/** A port of loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
