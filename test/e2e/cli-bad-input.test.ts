import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/free-port.js";
import { runToEnd, serve, type Ended } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const link = "/core/examples/ada";

/** Every command that can contact a host, with valid arguments. */
const hostCommands: [verb: string, ...args: string[]][] = [
  ["status"],
  ["backup", "/tmp/nowhere"],
  ["restore", "/tmp/nowhere", "--yes"],
  ["undo", "--yes"],
  ["prune", "/tmp/nowhere", "--keep", "1", "--yes"],
  ["verify", "/tmp/nowhere"],
  ["inspect", "/tmp/nowhere"],
  ["list", "/tmp/nowhere"],
  ["diff", "/tmp/nowhere", "--live"],
  ["export"],
  ["import", "package.json", "--factory", "/core/examples"],
  ["operations", "list"],
  ["operations", "watch", "operations/none"],
  ["operations", "cancel", "operations/none"],
  ["documents", "get", link],
  ["documents", "put", link, "{}"],
  ["documents", "patch", link, "{}"],
  ["documents", "delete", link],
  ["documents", "list", "/core/examples"],
  ["documents", "history", link],
];

/** Runs two commands at a time. */
async function each(
  commands: typeof hostCommands,
  more: string[],
  check: (name: string, ended: Ended) => void,
): Promise<void> {
  const remaining = [...commands];
  const worker = async () => {
    for (let next = remaining.shift(); next; next = remaining.shift())
      check(next.join(" "), await runToEnd([...next, ...more]));
  };
  await Promise.all([worker(), worker()]);
}

test("every command reports an unreachable host and how to start one", async () => {
  const address = `127.0.0.1:${await freePort()}`;
  await each(hostCommands, ["--address", address], (name, { code, output, log }) => {
    expect({ name, code, output }).toEqual({ name, code: 69, output: "" });
    expect(log).toContain(`No host is listening at ${address}`);
    expect(log).toContain("holdfast serve");
    expect(log).not.toMatch(/ at .*\.js:\d+/);
  });
}, 120_000);

test("reports that the address is the HTTP port instead of the gRPC port", async () => {
  const host = await serve(["--data-dir", join(temporaryDirectory(), "data")]);
  const { code, log } = await runToEnd(["status", "--address", host.url.slice("http://".length)]);
  expect(code).toBe(69);
  expect(log).toMatch(/is an HTTP port, not a gRPC port.*--address/);
  expect(await runToEnd(["status", "--address", `https://${host.grpc}`])).toMatchObject({
    code: 69,
    log: expect.stringContaining("Cannot establish a TLS connection"),
  });
});

test("reports a missing or unknown token or role, and how to provide one", async () => {
  const root = temporaryDirectory();
  writeFileSync(
    join(root, "tokens"),
    "token-of-nothing-much write\ntoken-of-everything admin\ntoken-of-backups backup\ntoken-of-restores restore\n",
  );
  const host = await serve([
    "--data-dir",
    join(root, "data"),
    "--token-file",
    join(root, "tokens"),
  ]);
  const address = ["--address", host.grpc];
  await each(hostCommands, address, (name, { code, log }) => {
    expect({ name, code }).toEqual({ name, code: 77 });
    expect(log).toMatch(/requires a token.*\n.*\n? .*--token-file/s);
  });
  const wrong = "token-that-is-wrong";
  await each(
    hostCommands.slice(0, 4),
    [...address, "--token", wrong],
    (name, { code, output, log }) => {
      expect({ name, code }).toEqual({ name, code: 77 });
      expect(log).toContain("Unknown token");
      expect(output + log).not.toContain(wrong);
    },
  );
  const refused = await runToEnd([
    "restore",
    "/tmp/nowhere",
    "--prefix",
    "/",
    ...address,
    "--token",
    "token-of-nothing-much",
  ]);
  expect(refused).toMatchObject({
    code: 77,
    log: expect.stringMatching(
      /Nothing was restored; existing data is unchanged\.\n.*a token with the role/,
    ),
  });
  expect(
    await runToEnd(["status", ...address], { env: { HOLDFAST_TOKEN: "token-of-everything" } }),
  ).toMatchObject({ code: 0 });
  // With --yes nothing is previewed, so that the role documented in docs/security.md is sufficient.
  const backup = join(root, "backup");
  expect(
    await runToEnd(["backup", backup, ...address, "--token", "token-of-backups"]),
  ).toMatchObject({ code: 0 });
  for (const args of [
    ["restore", backup, "--yes"],
    ["undo", "--yes"],
  ])
    expect(await runToEnd([...args, ...address, "--token", "token-of-restores"])).toMatchObject({
      code: 0,
    });
  expect(
    await runToEnd(["restore", backup, "--yes", ...address, "--token", "token-of-backups"]),
  ).toMatchObject({ code: 77, log: expect.stringMatching(/role restore/) });
  writeFileSync(join(root, "token"), "token-of-everything\n");
  expect(await runToEnd(["status", ...address, "--token-file", join(root, "token")])).toMatchObject(
    { code: 0 },
  );
}, 120_000);

test("reads profiles, rejects unknown keys and warns about a readable token", async () => {
  const root = temporaryDirectory();
  writeFileSync(join(root, "tokens"), "token-of-everything admin\n");
  const host = await serve([
    "--data-dir",
    join(root, "data"),
    "--token-file",
    join(root, "tokens"),
  ]);
  const file = join(root, "profiles.yaml");
  const env = { HOLDFAST_PROFILES: file };
  writeFileSync(
    file,
    `default: test\nprofiles:\n  test: { address: "${host.grpc}", token: token-of-everything }\n`,
    { mode: 0o600 },
  );
  expect(await runToEnd(["status"], { env })).toMatchObject({ code: 0, log: "" });
  // The token of the default profile is not sent to an explicit address.
  expect(await runToEnd(["status", "--address", host.grpc], { env })).toMatchObject({ code: 77 });
  expect(
    await runToEnd(["status", "--profile", "test", "--address", host.grpc], { env }),
  ).toMatchObject({ code: 0 });
  chmodSync(file, 0o644);
  expect(await runToEnd(["status"], { env })).toMatchObject({
    code: 0,
    log: expect.stringContaining(`chmod 600 ${file}`),
  });
  expect(await runToEnd(["status", "--profile", "other"], { env })).toMatchObject({
    code: 78,
    log: expect.stringContaining("Defined profiles: test"),
  });
  writeFileSync(file, `profiles:\n  test: { adress: "${host.grpc}", tokn: token-of-everything }\n`);
  const { code, output, log } = await runToEnd(["status", "--profile", "test"], { env });
  expect({ code, output }).toEqual({ code: 78, output: "" });
  expect(log).toContain("adress, tokn");
  expect(log).not.toContain("token-of-everything");
}, 60_000);

test("reports missing, foreign and damaged backups, with and without a host", async () => {
  const root = temporaryDirectory();
  const host = await serve(["--data-dir", join(root, "data")]);
  const online = { env: { HOLDFAST_ADDRESS: host.grpc } };
  const backups = join(root, "backups");
  expect((await runToEnd(["documents", "put", link, '{"name":"Ada"}'], online)).code).toBe(0);
  expect((await runToEnd(["backup", backups], online)).code).toBe(0);
  const text = join(root, "text");
  writeFileSync(text, "no backup");
  mkdirSync(join(root, "empty"));
  for (const env of [{}, online.env]) {
    for (const [source, codes] of [
      [text, [78]],
      [join(root, "empty"), [66]],
      [join(root, "nothing"), [66]],
    ] as const) {
      for (const args of [
        ["verify", source],
        ["inspect", source],
        ["diff", source, backups],
        ["export", source],
      ]) {
        const { code, output, log } = await runToEnd(args, { env });
        expect({ args, code, output }).toEqual({ args, code: codes[0], output: "" });
        expect(log).toMatch(/^holdfast \w+: .*\n {2}List the available backups: holdfast list/m);
      }
    }
  }
  const segment = readdirSync(backups).find((name) => name.startsWith("base-")) ?? "";
  const bytes = readFileSync(join(backups, segment));
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 100) ^ 1, bytes.length - 100);
  writeFileSync(join(backups, segment), bytes);
  for (const env of [{}, online.env])
    expect(await runToEnd(["verify", backups], { env })).toMatchObject({
      code: 65,
      log: expect.stringContaining(segment),
    });
  const restored = await runToEnd(["restore", backups, "--yes"], online);
  expect(restored).toMatchObject({
    code: 65,
    log: expect.stringContaining("Nothing was restored"),
  });
  expect((await runToEnd(["documents", "get", link], online)).code).toBe(0);
  expect(await runToEnd(["list", root, "--digests"])).toMatchObject({
    code: 0,
    output: expect.stringMatching(/DAMAGED .*\n(.*\n)*\n.*backups.*: .*has the sha256/),
  });
  expect((await runToEnd(["list", root, "--digests", "--strict", "--quiet"])).code).toBe(65);
  expect((await runToEnd(["restore", backups, "--data-dir", join(root, "new")])).code).toBe(65);
}, 180_000);

test("keeps the existing file if an export runs out of space", async () => {
  const root = temporaryDirectory();
  const host = await serve(["--data-dir", join(root, "data")]);
  const lines = Array.from({ length: 200 }, (_, i) =>
    JSON.stringify({ documentSelfLink: `n${i}`, name: "x".repeat(1000) }),
  );
  writeFileSync(join(root, "in.ndjson"), lines.join("\n"));
  expect(
    (
      await runToEnd([
        "import",
        join(root, "in.ndjson"),
        "--factory",
        "/core/examples",
        "--address",
        host.grpc,
      ])
    ).code,
  ).toBe(0);
  mkdirSync(join(root, "out"));
  const out = join(root, "out", "out.ndjson");
  writeFileSync(out, "as it was");
  // Limits files to 64 blocks of 512 bytes, which simulates a full disk for this command.
  const limited = { wrapper: ["sh", "-c", 'ulimit -f 64 && exec "$0" "$@"'] };
  const { code, log } = await runToEnd(["export", "-o", out, "--address", host.grpc], limited);
  expect(code).toBe(73);
  expect(log).toMatch(/no space left.*An existing file is unchanged/);
  expect(readdirSync(join(root, "out"))).toEqual(["out.ndjson"]);
  expect(readFileSync(out, "utf8")).toBe("as it was");
}, 60_000);

test("removes temporary files if the output of an offline command fails", async () => {
  const root = temporaryDirectory();
  const host = await serve(["--data-dir", join(root, "data")]);
  // Enough documents for several pages.
  const lines = Array.from({ length: 5000 }, (_, i) =>
    JSON.stringify({ documentSelfLink: `n${i}`, name: "x".repeat(1000) }),
  );
  writeFileSync(join(root, "in.ndjson"), lines.join("\n"));
  expect(
    (
      await runToEnd([
        "import",
        join(root, "in.ndjson"),
        "--factory",
        "/core/examples",
        "--address",
        host.grpc,
      ])
    ).code,
  ).toBe(0);
  expect((await runToEnd(["backup", join(root, "backup"), "--address", host.grpc])).code).toBe(0);
  const scratch = join(root, "scratch");
  mkdirSync(scratch);
  const env = { TMPDIR: scratch };
  const runInShell = (args: string[], shell: string) =>
    runToEnd([...args, "--offline"], { wrapper: ["sh", "-c", shell], env });
  const piped = await runInShell(["export", join(root, "backup")], '"$0" "$@" | head -n 1');
  expect(piped.output.split("\n")).toHaveLength(2);
  const full = 'exec "$0" "$@" > /dev/full';
  for (const args of [
    ["export", join(root, "backup")],
    ["list", root],
  ]) {
    expect(await runInShell(args, full)).toMatchObject({
      code: 73,
      log: expect.stringMatching(
        /Cannot write to standard output: no space left \(ENOSPC\)\. The output is incomplete/,
      ),
    });
  }
  for (const args of [
    ["--help"],
    ["completion", "bash"],
    ["help", "backup"],
    ["inspect", join(root, "backup")],
    ["status", "--address", host.grpc],
  ]) {
    expect(await runToEnd(args, { wrapper: ["sh", "-c", full] })).toMatchObject({
      code: 73,
      log: expect.not.stringContaining("    at "),
    });
    expect(
      (await runToEnd(args, { wrapper: ["sh", "-c", '"$0" "$@" | head -n 1'] })).log,
    ).not.toContain("EPIPE");
  }
  expect(readdirSync(scratch)).toEqual([]);
}, 60_000);

test.each([
  [["backup"], /missing required argument 'DEST'/],
  [["backup", "/x", "--type", "tar"], /Allowed choices are zip, directory/],
  [["restore", "/x", "--at", "yesterday"], /Invalid time "yesterday"/],
  [["restore", "/x", "--delete-others"], /requires --prefix/],
  [["verify", "/x", "--percent", "5"], /requires --level sample/],
  [["diff", "/x"], /holdfast diff FROM --live/],
  [["diff", "/x", "--live", "--offline"], /mutually exclusive/],
  [["backup", ""], /path or URI is empty/],
  [["restore", "", "--yes"], /path or URI is empty/],
  [["prune", "", "--keep", "1", "--yes"], /path or URI is empty/],
  [["restore", "/x", "--data-dir", ""], /--data-dir is empty/],
  [["documents", "list", "/core/examples", "--limit", "0"], /at least 1/],
  [["export", "--offline"], /Name a backup/],
  [["prune", "/x"], /in exactly one way/],
  [["prune", "/x", "--keep", "0"], /at least 1/],
  [["import", "x.ndjson"], /--factory PATH is required/],
  [["import", "--factory", "/core/examples"], /an NDJSON file/],
  [["documents", "get", link, "--version", "one"], /whole number/],
  [["status", "--address", "nowhere:port"], /HOST:PORT/],
  [["status", "--token", "a", "--token-file", "b"], /mutually exclusive/],
  [["bogus"], /unknown command 'bogus'/],
  [["operations"], /Usage: holdfast operations/],
])("rejects %j without contacting a host", async (args, problem) => {
  const { code, output, log } = await runToEnd(args);
  expect({ code, output }).toEqual({ code: 64, output: "" });
  expect(log).toMatch(problem);
});
