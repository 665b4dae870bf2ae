import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { settings } from "../../src/host/settings.js";
import { haveTools, run } from "../support/tools.js";
import { serve, type ServedHost } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import {
  codeBlocks,
  normalise,
  parseTranscript,
  runInShell,
  type Step,
} from "../support/transcript.js";

/** Runs the examples of the README, with other ports and directories, and compares their output. */
const readme = readFileSync("README.md", "utf8");
const localTools = resolve(".cache/go-bin");
process.env["PATH"] = `${process.env["PATH"]}${delimiter}${localTools}`;

async function startHost(root: string): Promise<ServedHost> {
  return serve(["--data-dir", join(root, "data"), "--http-port", "0", "--grpc-port", "0"]);
}

async function runSteps(steps: Step[], host: ServedHost, backups: string): Promise<Step[]> {
  const pairs: [shown: string, real: string][] = [
    ["/tmp/backups", backups],
    ["http://localhost:8000", host.url],
    ["localhost:8001", host.grpc],
  ];
  const real = (text: string) =>
    pairs.reduce((all, [shown, actual]) => all.replaceAll(shown, actual), text);
  const shown = (text: string) =>
    pairs.reduce((all, [name, actual]) => all.replaceAll(actual, name), text);
  const outputs = await runInShell(
    steps.map(({ command }) => real(command)),
    120_000,
  );
  return steps.map(({ command }, i) => ({
    command,
    output: normalise(shown(outputs[i] ?? "the shell ended early")),
  }));
}

const expected = (steps: Step[]) =>
  steps.map(({ command, output }) => ({ command, output: normalise(output) }));

test("the greeting of the host matches", async () => {
  const root = temporaryDirectory();
  const host = await startHost(root);
  const [start] = parseTranscript(readme, "start");
  const output = start?.output ?? "";
  const withoutAddresses = (text: string) =>
    text.replaceAll(/127\.0\.0\.1:\d+/g, "<address>").replace(/^( {2}data +).*$/m, "$1<directory>");
  expect(withoutAddresses(host.greeting.trim())).toBe(
    withoutAddresses(output.slice(output.indexOf("Holdfast is ready."))),
  );
  await host.stop();
});

(haveTools("the README's transcript", "sh", "curl", "sed", "grep") ? describe : describe.skip)(
  "the README's transcript",
  () => {
    test("the curl and grpcurl examples print what is shown", async () => {
      const root = temporaryDirectory();
      const host = await startHost(root);
      const backups = join(root, "backups");
      const steps = parseTranscript(readme, "host");
      expect(steps.length).toBeGreaterThan(20);
      expect(await runSteps(steps, host, backups)).toEqual(expected(steps));
      if (haveTools("the README's gRPC examples", "grpcurl")) {
        const grpcSteps = parseTranscript(readme, "grpcurl");
        expect(grpcSteps.length).toBeGreaterThan(2);
        expect(await runSteps(grpcSteps, host, backups)).toEqual(expected(grpcSteps));
      }
      expect(await host.stop()).toBe(0);
    });
  },
);

test("the library example runs", async () => {
  const [code = ""] = codeBlocks(readme, "js library");
  expect(code.trim().split("\n").length).toBeLessThanOrEqual(11);
  const root = temporaryDirectory();
  const real = code
    .replaceAll("/tmp/backups", root)
    .replace("./data", join(root, "data"))
    .replace("factories:", "httpPort: 0, grpcPort: 0, factories:");
  // Written to the checkout, so that the package resolves by its own name.
  mkdirSync(".cache", { recursive: true });
  const file = resolve(".cache", `readme-${process.pid}.mjs`);
  writeFileSync(file, real);
  try {
    const { code: exit, stdout, stderr } = await run(process.execPath, [file]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expect(stdout).toMatch(/^manifest-0000000001-[0-9a-f]{16}\.json\ntrue \{"title":"Emma"\}\n$/);
  } finally {
    rmSync(file);
  }
});

test("the table of settings matches the program", () => {
  const rows = [...readme.matchAll(/^\| `--([a-z-]+) ([^`]*)` \| (.*) \|$/gm)].map(
    ([, name, placeholder, help]) => ({ name, placeholder, help }),
  );
  expect(rows).toEqual(
    settings.map(({ name, placeholder, help }) => ({ name, placeholder, help })),
  );
});

test("relative links refer to existing files", () => {
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path]) => path ?? "");
  expect(links.length).toBeGreaterThan(5);
  expect(links.filter((path) => !existsSync(path))).toEqual([]);
});
