import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { serve, watchMemory, type Memory } from "./process-tools.js";
import { median, memoryRow, mib, row } from "./table.js";

const MiB = 1024 * 1024;
const totalBytes = 1024 * MiB;
const here = import.meta.dirname ?? __dirname;

async function upload(
  port: number,
  path: string,
  rangeBytes: number,
  connections: number,
): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(here, "file-load.mjs"),
    ...[port, path, totalBytes, rangeBytes, connections].map(String),
  ]);
  return (JSON.parse(stdout) as { ms: number }).ms;
}

/** 1 GiB to /local-files, as this host and as Xenon send it, against a bare server that writes the same bytes to a file. */
export async function benchFiles(root: string): Promise<void> {
  const bareTarget = join(root, "bare.bin");
  const bare = await serve("bare-files.mjs", bareTarget);
  const host = await serve("host-process.mjs", join(root, "files"));
  const path = "/local-files/bench";
  const target = join(root, "ours.bin");
  await fetch(`http://127.0.0.1:${host.port}/local-files`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      documentSelfLink: "bench",
      localFileUri: `file:${target}`,
      fileOptions: ["WRITE", "CREATE"],
    }),
  });
  for (const { rangeBytes, connections, label } of [
    { rangeBytes: 8 * MiB, connections: 4, label: "8 MiB ranges over 4 connections" },
    { rangeBytes: MiB / 2, connections: 10, label: "512 KiB ranges over 10 connections" },
  ]) {
    const rounds: { ours: number; reference: number }[] = [];
    let memory: Memory | undefined;
    for (let round = 0; round < 3; round += 1) {
      for (const each of [bareTarget, target]) rmSync(each, { force: true });
      const reference = await upload(bare.port, "/", rangeBytes, connections);
      const watched = await watchMemory(host.child.pid ?? 0, () =>
        upload(host.port, path, rangeBytes, connections),
      );
      memory ??= watched.memory;
      rounds.push({ ours: watched.result, reference });
    }
    const rate = (took: number) => `${mib((totalBytes / took) * 1000)}/s`;
    const middle = median(rounds.map(({ ours, reference }) => reference / ours));
    const shown = rounds.find(({ ours, reference }) => reference / ours === middle) ?? {
      ours: 0,
      reference: 0,
    };
    row(
      `upload of 1 GiB to /local-files, ${label}`,
      rate(shown.ours),
      `bare node:http to a file: ${rate(shown.reference)}`,
      middle,
      ">= 0.5",
    );
    if (memory) memoryRow(`upload of 1 GiB, ${label}`, memory);
  }
  await host.close();
  await bare.close();
}
