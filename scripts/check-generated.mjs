// Fails when what is generated is not what the protos say: generates anew and looks for changes.
import { execFileSync } from "node:child_process";
import { resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const status = () =>
  execFileSync("git", ["status", "--porcelain", "gen", "clients"], { cwd: root, encoding: "utf8" });

const before = status();
execFileSync(process.execPath, [resolve(root, "scripts", "generate.mjs")], {
  cwd: root,
  stdio: "inherit",
});
const after = status();
if (after !== "") {
  console.error(
    `${before === after ? "Not committed" : "Out of date"}:\n${after}Run "npm run generate" and commit what it makes.`,
  );
  process.exit(1);
}
