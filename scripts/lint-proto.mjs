// Checks the protos' style, and that they break no client: against the last release, or else against what is committed.
import { execFileSync, spawnSync } from "node:child_process";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const buf = join(root, "node_modules", ".bin", "buf");
const git = (...args) => spawnSync("git", args, { cwd: root, encoding: "utf8" });
const run = (...args) => execFileSync(buf, args, { cwd: root, stdio: "inherit" });

run("lint");
run("format", "--exit-code", "--diff", "proto");

const [release] = git("tag", "--list", "v*", "--sort=-version:refname").stdout.trim().split("\n");
const base = release || "HEAD";
if (git("cat-file", "-e", `${base}:buf.yaml`).status === 0) {
  const commit = git("rev-parse", `${base}^{commit}`).stdout.trim();
  run("breaking", "--against", `.git#ref=${commit}`);
} else {
  console.warn(`SKIPPED: ${base} has no protos to compare with.`);
}
