import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { manage, patchDocuments } from "./management.js";
import { load, run, serve, watchMemory } from "./process-tools.js";
import { median, mib, ms, row } from "./table.js";

const here = import.meta.dirname ?? __dirname;
const program = resolve(here, "../dist/src/cli/main.js");
const rounds = 3;

/** The command on files: how it starts, and its checks and comparisons against the SHA-256 of the same files. */
export async function benchCommand(root: string): Promise<void> {
  const store = join(root, "command");
  mkdirSync(store);
  for (const count of [100_000, 1_000_000]) {
    const backups = join(store, String(count));
    mkdirSync(backups);
    await makeBackups(join(root, `command-${count}`), backups, count);
    if (count === 100_000)
      for (const args of [["--help"], ["inspect", join(backups, "one")]])
        row(
          `holdfast ${args[0]}: CPU`,
          ms(startCpuMs(args)),
          "node -e 0: " + ms(startCpuMs(undefined)),
          undefined,
          args[0] === "--help" ? "< 80 ms" : "< 150 ms",
        );
    await checks(backups, count);
  }
}

/** A base of so many documents, and another one after 1 % of them has changed. */
async function makeBackups(data: string, backups: string, count: number): Promise<void> {
  const host = await serve("host-process.mjs", data);
  await load(host.port, { count, bytes: 500 });
  await manage(host.port, "BackupRequest", {
    destination: `file:${backups}/one`,
    backupType: "DIRECTORY",
  });
  await patchDocuments(
    host.port,
    Array.from({ length: count / 100 }, (_, i) => (i * 97) % count),
  );
  await manage(host.port, "BackupRequest", {
    destination: `file:${backups}/two`,
    backupType: "DIRECTORY",
  });
  await host.close();
}

async function checks(backups: string, count: number): Promise<void> {
  const filesIn = (name: string) =>
    readdirSync(join(backups, name))
      .filter((file) => file.endsWith(".sqlite"))
      .map((file) => join(backups, name, file));
  const one = filesIn("one");
  const all = [...one, ...filesIn("two")];
  // Once unmeasured: from the disk into memory.
  await timed(["verify", join(backups, "one")]);
  const works: { name: string; args: string[]; files: string[]; mark: string }[] = [
    {
      name: "verify --level full",
      args: ["verify", join(backups, "one")],
      files: one,
      mark: ">= 0.3",
    },
    {
      name: "verify --level test-restore",
      args: ["verify", join(backups, "one"), "--level", "test-restore"],
      files: one,
      mark: "",
    },
    { name: "list --digests", args: ["list", backups, "--digests"], files: all, mark: ">= 0.8" },
    {
      name: "diff",
      args: ["diff", join(backups, "one"), join(backups, "two"), "--quiet"],
      files: all,
      mark: "1 M: < 8 s",
    },
  ];
  for (const { name, args, files, mark } of works) {
    const times: number[] = [];
    const references: number[] = [];
    let memory = 0;
    for (let round = 0; round < rounds; round += 1) {
      references.push((await timed(undefined, files)).took);
      const { took, peakMiB } = await timed(args);
      times.push(took);
      memory = Math.max(memory, peakMiB);
    }
    const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
    const rate = name.startsWith("verify")
      ? `, ${((count / median(times)) * 1000).toFixed(0)} records/s`
      : "";
    row(
      `holdfast ${name}, ${count} x 500 B, ${mib(bytes)}`,
      `${ms(median(times))}${rate}, ${memory.toFixed(0)} MiB`,
      `sha256: ${ms(median(references))}`,
      median(references) / median(times),
      mark,
    );
    if (name !== "verify --level full") continue;
    const bare = await bareRows(files[0] ?? "", count);
    row(
      `holdfast ${name}, ${count} x 500 B`,
      ms(median(times)),
      `rows read, parsed and summed in two processes: ${ms(bare)}`,
      bare / median(times),
      "",
    );
  }
}

/** Milliseconds of two processes that read the rows of a segment and compare nothing, the median of the rounds. */
async function bareRows(segment: string, count: number): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const begun = performance.now();
    const script = join(here, "bare-rows.mjs");
    await Promise.all(
      ["first", "second"].map((half) =>
        run(process.execPath, [script, segment, String(count), half]),
      ),
    );
    times.push(performance.now() - begun);
  }
  return median(times);
}

/** From start to end of a process; without arguments of the command it hashes files. */
export async function timed(
  args: string[] | undefined,
  files: string[] = [],
): Promise<{ took: number; peakMiB: number }> {
  const begun = performance.now();
  const child = spawn(
    process.execPath,
    args === undefined ? [join(here, "hash-files.mjs"), ...files] : [program, ...args],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const { memory } = await watchMemory(
    child.pid ?? 0,
    () =>
      new Promise<void>((resolve, reject) =>
        child.once("close", (code) =>
          code === 0 || code === 1
            ? resolve()
            : reject(new Error(`${args?.[0]} ended with ${code}`)),
        ),
      ),
  );
  return { took: performance.now() - begun, peakMiB: memory.idle + memory.growth };
}

/** User and system time of a run, by the shell's own count of its children. */
export function startCpuMs(args: string[] | undefined): number {
  const command =
    args === undefined ? "-e 0" : [program, ...args].map((one) => `'${one}'`).join(" ");
  const once = () => {
    const text = execFileSync("sh", ["-c", `'${process.execPath}' ${command} > /dev/null; times`], {
      encoding: "utf8",
    });
    return [...(text.split("\n")[1] ?? "").matchAll(/(\d+)m([\d.]+)s/g)].reduce(
      (sum, [, minutes, seconds]) => sum + Number(minutes) * 60_000 + Number(seconds) * 1000,
      0,
    );
  };
  return median(Array.from({ length: 5 }, once));
}
