import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
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

/**
 * Runs the examples of the README, docs/quick-start.md and docs/library.md with other ports and directories, and
 * compares their output.
 */
const readme = readFileSync("README.md", "utf8");
const quickStart = readFileSync("docs/quick-start.md", "utf8");
const library = readFileSync("docs/library.md", "utf8");
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
  const [start] = parseTranscript(quickStart, "start");
  const output = start?.output ?? "";
  const withoutAddresses = (text: string) =>
    text.replaceAll(/127\.0\.0\.1:\d+/g, "<address>").replace(/^( {2}data +).*$/m, "$1<directory>");
  expect(withoutAddresses(host.greeting.trim())).toBe(
    withoutAddresses(output.slice(output.indexOf("Holdfast is ready."))),
  );
  await host.stop();
});

(haveTools("the README and docs/quick-start.md", "sh", "curl", "sed", "grep")
  ? describe
  : describe.skip)("the README and docs/quick-start.md", () => {
  test("the curl and grpcurl examples print what is shown", async () => {
    const root = temporaryDirectory();
    const host = await startHost(root);
    const backups = join(root, "backups");
    const steps = [...parseTranscript(quickStart, "host"), ...parseTranscript(readme, "curl")];
    expect(steps.length).toBeGreaterThan(20);
    expect(await runSteps(steps, host, backups)).toEqual(expected(steps));
    if (haveTools("the gRPC examples of the README", "grpcurl", "jq")) {
      const grpcSteps = [
        ...parseTranscript(quickStart, "grpcurl"),
        ...parseTranscript(readme, "grpcurl"),
      ];
      expect(grpcSteps.length).toBeGreaterThan(2);
      expect(await runSteps(grpcSteps, host, backups)).toEqual(expected(grpcSteps));
    }
    expect(await host.stop()).toBe(0);
  });
});

/** Runs a program of the documentation on free ports and returns its standard output. */
async function runProgram(code: string): Promise<string> {
  const root = temporaryDirectory();
  const real = code
    .replaceAll("/tmp/backups", root)
    .replace("./data", join(root, "data"))
    .replace("createHost({ ", "createHost({ httpPort: 0, grpcPort: 0, ");
  // Written to the checkout, so that the package resolves by its own name.
  mkdirSync(".cache", { recursive: true });
  const file = resolve(".cache", `readme-${process.pid}.mjs`);
  writeFileSync(file, real);
  try {
    const { code: exit, stdout, stderr } = await run(process.execPath, [file]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    return stdout;
  } finally {
    rmSync(file);
  }
}

test("the library example of the README runs", async () => {
  const [code = ""] = codeBlocks(readme, "js library");
  expect(await runProgram(code)).toMatch(/"name":"Emma"/);
});

test("the library example of docs/library.md runs", async () => {
  const [code = ""] = codeBlocks(library, "js library");
  expect(await runProgram(code)).toMatch(
    /^manifest-0000000001-[0-9a-f]{16}\.json\ntrue \{"title":"Emma"\}\n$/,
  );
});

test("the client example of the README is part of the client's own, which test/clients runs", () => {
  const example = readFileSync("clients/typescript/README.md", "utf8");
  const [code = ""] = codeBlocks(readme, "ts client");
  expect(code).not.toBe("");
  for (const line of code.trim().split("\n")) expect(example).toContain(line);
});

test("the README has at most 8 KiB", () => {
  expect(Buffer.byteLength(readme)).toBeLessThanOrEqual(8192);
});

test.each([
  "README.md",
  ...readdirSync("docs")
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
])("relative links of %s refer to existing files and headings", (path) => {
  const text = readFileSync(path, "utf8");
  const links = [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(
    ([, file = "", heading = ""]) => ({
      file: file === "" ? path : join(dirname(path), file),
      heading,
    }),
  );
  expect(links.filter(({ file }) => !existsSync(file))).toEqual([]);
  const anchors = ({ file }: { file: string }) =>
    [...readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\d _-]/gu, "")
        .replaceAll(" ", "-"),
    );
  expect(
    links.filter((link) => link.heading !== "" && !anchors(link).includes(link.heading)),
  ).toEqual([]);
});
