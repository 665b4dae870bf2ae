import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

/** The generated clients must compile as distributed. */
const run = (command: string, args: string[], directory: string) => {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: resolve(process.cwd(), directory),
    encoding: "utf8",
  });
  return { status, output: `${stdout}${stderr}` };
};

test("the TypeScript client compiles", () => {
  const compiler = resolve(process.cwd(), "node_modules/typescript/bin/tsc");
  expect(run(process.execPath, [compiler, "-p", ".", "--noEmit"], "clients/typescript")).toEqual({
    status: 0,
    output: "",
  });
});

test("the Go client passes go vet", () => {
  if (spawnSync("go", ["version"]).status !== 0) {
    console.warn("SKIPPED: Go is not installed.");
    return;
  }
  expect(run("go", ["vet", "./..."], "clients/go").status).toBe(0);
}, 600_000);
