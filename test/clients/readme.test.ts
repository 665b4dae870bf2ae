import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { serve } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { codeBlocks } from "../support/transcript.js";
import { haveTools, run, type Ran } from "../support/tools.js";

/** Compiles and runs the example of the README of the TypeScript client with the packed package. */
const directory = resolve("clients/typescript");
const readme = readFileSync(join(directory, "README.md"), "utf8");
const able = haveTools("the README of the TypeScript client", "npm", "tar");

// In the checkout, so that the dependencies of the package resolve.
mkdirSync(".cache", { recursive: true });
const project = mkdtempSync(resolve(".cache/client-"));
afterAll(() => rmSync(project, { recursive: true, force: true }));

async function well(ran: Promise<Ran>): Promise<string> {
  const { code, stdout, stderr } = await ran;
  if (code !== 0) throw new Error(`${stdout}${stderr}`);
  return stdout;
}

async function installClient(): Promise<void> {
  await well(run(process.execPath, ["build.mjs"], { cwd: directory }));
  const [{ filename }] = JSON.parse(
    await well(
      run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", project], {
        cwd: directory,
      }),
    ),
  ) as [{ filename: string }];
  const installed = join(project, "node_modules", "@holdfast", "client");
  mkdirSync(installed, { recursive: true });
  await well(
    run("tar", ["-xzf", join(project, filename), "-C", installed, "--strip-components=1"]),
  );
}

(able ? test : test.skip)(
  "the example compiles, runs, and prints what the README shows",
  async () => {
    await installClient();
    const host = await serve(["--data-dir", join(temporaryDirectory(), "data")]);
    const files = temporaryDirectory();
    const [example = ""] = codeBlocks(readme, "ts example");
    writeFileSync(join(project, "package.json"), '{"type":"module"}');
    writeFileSync(
      join(project, "example.ts"),
      example.replaceAll("/tmp/holdfast", files).replaceAll("localhost:8001", host.grpc),
    );
    symlinkSync(resolve("node_modules/@types"), join(project, "node_modules", "@types"));
    const options = [
      "--strict",
      "--noUncheckedIndexedAccess",
      "--target",
      "es2022",
      "--module",
      "nodenext",
      "--types",
      "node",
      "--ignoreConfig",
    ];
    await well(
      run(
        process.execPath,
        [resolve("node_modules/typescript/bin/tsc"), ...options, "example.ts"],
        { cwd: project },
      ),
    );
    const printed = (
      await well(run(process.execPath, ["example.js"], { cwd: project }))
    ).replaceAll(files, "/tmp/holdfast");
    if (process.env["UPDATE_COOKBOOKS"])
      writeFileSync(
        join(directory, "README.md"),
        readme.replace(/^```text output\n.*?^```$/ms, `\`\`\`text output\n${printed}\`\`\``),
      );
    else expect(printed).toBe(codeBlocks(readme, "text output")[0]);

    const required = await well(
      run(process.execPath, ["-p", "typeof require('@holdfast/client').HoldfastClient"], {
        cwd: project,
      }),
    );
    expect(required.trim()).toBe("function");
  },
  180_000,
);
