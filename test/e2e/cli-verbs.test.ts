import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runToEnd, serve, type Ended, type ServedHost } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

interface Fixture {
  root: string;
  backups: string;
  host: ServedHost;
  /** Runs a command with the address of the host. */
  run(...args: string[]): Promise<Ended>;
  /** Runs a command with the address of the host, expects success and returns its output. */
  ok(...args: string[]): Promise<string>;
  /** Runs a command without a host, expects success and returns its output. */
  offline(...args: string[]): Promise<string>;
}

async function startFixture(...more: string[]): Promise<Fixture> {
  const root = temporaryDirectory();
  const host = await serve(["--data-dir", join(root, "data"), ...more]);
  const environment = {
    XDG_STATE_HOME: join(root, "state"),
    XDG_CONFIG_HOME: join(root, "config"),
  };
  const run = (...args: string[]) =>
    runToEnd(args, { env: { ...environment, HOLDFAST_ADDRESS: host.grpc } });
  const good = async (ended: Promise<Ended>) => {
    const { code, output, log } = await ended;
    expect({ code, log: code === 0 ? "" : log }).toEqual({ code: 0, log: "" });
    return output;
  };
  return {
    root,
    backups: join(root, "backups"),
    host,
    run,
    ok: (...args) => good(run(...args)),
    offline: (...args) => good(runToEnd(args, { env: environment })),
  };
}

const link = "/core/examples/ada";
const timeOf = (text: string) => /\d{4}-\d\d-\d\dT[\d:.]+Z/.exec(text)?.[0] ?? "";

test("back up, lose data, preview, restore to a point in time, undo", async () => {
  const { ok, run, backups } = await startFixture();
  const made = await ok("documents", "put", link, '{"name":"Ada"}');
  await ok("documents", "put", "/core/examples/bob", '{"name":"Bob"}');
  expect(await ok("backup", backups, "--dry-run")).toMatch(
    /Dry run, nothing was copied.*would copy:\ncontent +the whole index/s,
  );
  expect(existsSync(backups)).toBe(false);
  expect(await ok("backup", backups)).toMatch(
    /^Backed up 2 documents with 2 versions to .*\n(.*\n)*verified +all digests and rows of the new segments/,
  );
  await ok("documents", "delete", link);
  await ok("backup", `file:${backups}`, "--type", "directory");
  expect(await ok("status")).toMatch(/\/core\/document-index +1 +3 /);

  const refused = await run("restore", backups, "--at", timeOf(made));
  expect(refused.code).toBe(64);
  expect(refused.output).toMatch(/keep .*POST +\/core\/examples\/ada/);
  expect(refused.output).toMatch(/discard .*POST +\/core\/examples\/bob/);
  expect(refused.output).toContain(
    "2 versions in the backup are after the target time and will not be restored.",
  );
  expect(refused.output).toMatch(/discarded +2 current versions after that time/);
  expect(refused.log).toContain(`holdfast restore ${backups} --at ${timeOf(made)} --yes`);
  expect((await run("restore", backups, "--at", timeOf(made), "--micros")).output).toMatch(
    /^keep +\d{16} +POST +\/core\/examples\/ada/m,
  );
  expect((await run("documents", "get", link)).code).toBe(66);

  const restored = await ok("restore", backups, "--at", timeOf(made), "--yes");
  expect(restored).toContain("Restored 1 document with 1 version into /core/document-index");
  expect(JSON.parse(await ok("documents", "get", link))).toMatchObject({ name: "Ada" });
  expect(await ok("undo", "--yes")).toContain("The index has 1 document with 3 versions");
  expect(await ok("operations", "list")).toMatch(/operations\/\S+ +backup +done .*backups/);
  await ok("backup", `${backups}-2`, "--dry-run");
  expect(await ok("operations", "list")).toMatch(
    /operations\/\S+ +backup +done .*backups-2 +dry run/,
  );
  expect(await ok("restore", backups, "--link", "/core/examples/nobody", "--dry-run")).toContain(
    "Nothing to restore",
  );
  expect(await run("documents", "put", "noslash", "{}")).toMatchObject({
    code: 66,
    log: expect.stringContaining("noslash"),
  });
}, 120_000);

test("restores selected documents as new versions and keeps the others", async () => {
  const { ok, run, backups } = await startFixture();
  await ok("documents", "put", link, '{"name":"Ada"}');
  await ok("backup", backups);
  await ok("documents", "put", link, '{"name":"changed"}');
  await ok("documents", "put", "/core/examples/bob", '{"name":"Bob"}');
  const plan = await run(
    "restore",
    backups,
    "--prefix",
    "/core/examples/",
    "--delete-others",
    "--dry-run",
  );
  expect(plan).toMatchObject({
    code: 0,
    output: expect.stringContaining("Would restore documents: 0 created, 1 replaced, 1 deleted"),
  });
  expect((await run("restore", backups, "--prefix", "/core/examples/")).code).toBe(64);
  expect(await ok("restore", backups, "--prefix", "/core/examples/", "--yes")).toContain(
    "Restored documents: 0 created, 1 replaced, 0 deleted",
  );
  expect(await ok("documents", "history", link)).toMatch(
    /version 2 .*\n.*version 1 .*\n.*version 0 /,
  );
  expect(await ok("documents", "list", "/core/examples")).toMatch(/ada .*\n.*bob /);
}, 120_000);

test("restores to an empty index without --yes", async () => {
  const { ok, backups } = await startFixture();
  await ok("documents", "put", link, '{"name":"Ada"}');
  await ok("backup", backups);
  const other = await startFixture();
  expect(await other.ok("restore", backups)).toContain("Restored 1 document");
}, 120_000);

test("lists, inspects, verifies, diffs, exports and restores without a host", async () => {
  const { ok, offline, backups, root } = await startFixture();
  await ok("documents", "put", link, '{"name":"Ada"}');
  await ok("backup", backups);
  await ok("documents", "put", link, '{"name":"later"}');
  await ok("backup", join(root, "b.zip"));
  expect(await offline("inspect", backups)).toMatch(
    /contents +1 document with 1 version.*SEGMENT.*base.*lineage/s,
  );
  expect(await offline("verify", join(root, "b.zip"), "--level", "test-restore")).toMatch(
    /^OK: .*records\/s.*The test restore has 1 document with 2 versions/s,
  );
  const listed = await offline("list", root, "--digests");
  expect(listed).toMatch(/complete .* directory .* never +\S*backups/);
  expect(listed).toMatch(/complete .* zip .* passed, test-restore, .*b\.zip/);
  const compared = await runToEnd(["diff", backups, join(root, "b.zip")]);
  expect(compared).toMatchObject({
    code: 1,
    output: expect.stringMatching(/^~ \/core\/examples\/ada .*\n0 created \(\+\), 1 changed/),
  });
  expect((await runToEnd(["diff", backups, backups])).code).toBe(0);
  const exported = await offline("export", backups, "--quiet");
  expect(JSON.parse(exported)).toMatchObject({ name: "Ada", documentSelfLink: link });
  const data = join(root, "new-data");
  expect(await offline("restore", join(root, "b.zip"), "--data-dir", data)).toContain(
    `holdfast serve --data-dir ${data}`,
  );
  const host = await serve(["--data-dir", data]);
  expect(
    JSON.parse((await runToEnd(["documents", "get", link, "--address", host.grpc])).output),
  ).toMatchObject({ name: "later" });
}, 120_000);

test("exports to a file atomically, imports it again, and resumes an interrupted import", async () => {
  const { ok, run, root } = await startFixture();
  const file = join(root, "in.ndjson");
  const lines = Array.from({ length: 50 }, (_, i) => `{"documentSelfLink":"n${i}","name":"${i}"}`);
  writeFileSync(file, [...lines.slice(0, 30), "no JSON", ...lines.slice(30)].join("\n"));
  const cut = await run("import", file, "--factory", "/core/examples");
  expect(cut.code).toBe(64);
  expect(cut.log).toContain("To resume, run the same command with --skip 30");
  writeFileSync(file, lines.join("\n"));
  expect(await ok("import", file, "--factory", "/core/examples", "--skip", "30")).toMatch(
    /^Imported 20 documents into \/core\/examples: \d+ created, 0 replaced, \d+ unchanged, 30 skipped/,
  );
  const out = join(root, "out.ndjson");
  writeFileSync(out, "as it was");
  expect((await run("export", "-o", out, "--index", "/nowhere")).code).toBe(66);
  expect(readFileSync(out, "utf8")).toBe("as it was");
  await ok("export", "-o", out);
  expect(readFileSync(out, "utf8").trim().split("\n")).toHaveLength(50);
  expect(await ok("import", out, "--factory", "/core/examples")).toContain("50 unchanged");
}, 120_000);

test("prune removes what its dry run shows, and no rule removes the newest backup", async () => {
  const { ok, run, backups } = await startFixture();
  await ok("documents", "put", link, '{"name":"Ada"}');
  await ok("backup", backups);
  expect(await ok("prune", backups, "--older-than", "now")).toContain("Nothing was removed");
  const name = /manifest-\S+\.json/.exec(await ok("inspect", backups))?.[0] ?? "";
  expect(await ok("prune", backups, name, "--dry-run")).toMatch(
    /nothing was removed\. Would remove 1 backup with 3 files/,
  );
  expect((await run("prune", backups, name)).log).toContain(
    `holdfast prune ${backups} ${name} --yes`,
  );
  expect(await ok("list", backups)).toContain("complete");
  expect(await ok("prune", backups, name, "--yes")).toContain("Removed 1 backup with 3 files");
  expect(await ok("list", backups)).toContain("No backups found");
}, 120_000);

test("list shows pins with their reasons, and damage that a verification found", async () => {
  const { ok, run, offline, backups } = await startFixture();
  await ok("documents", "put", link, '{"name":"Ada"}');
  await ok("backup", backups);
  const { name = "" } = (
    JSON.parse(await ok("list", backups, "--json")) as { result: { backups: { name?: string }[] } }
  ).result.backups[0] ?? { name: "" };
  expect((await run("unpin", backups, "manifest-0000000042-83980ab252ac6a6c.json")).code).toBe(66);
  await ok("pin", backups, name, "--reason", "audit\u001b[31m");
  for (const list of [ok, offline]) {
    const listed = await list("list", backups);
    expect(listed).toContain("complete, pinned");
    expect(listed).toMatch(/: pinned: audit\\u001b\[31m$/m);
  }
  await ok("unpin", backups, name);
  const segment = readdirSync(backups).find((one) => !one.startsWith("manifest-")) ?? "";
  const bytes = readFileSync(join(backups, segment));
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  writeFileSync(join(backups, segment), bytes);
  expect(await ok("list", backups)).toContain("complete");
  expect((await run("verify", backups)).code).toBe(65);
  const after = await run("list", backups, "--strict");
  expect(after.code).toBe(65);
  expect(after.output).toMatch(/^DAMAGED .* FAILED, full.*\n\n.*: the last verification failed: /m);
}, 120_000);

test("--quiet prints nothing, --detach only the name of the operation", async () => {
  const { ok, run, backups } = await startFixture();
  await ok("documents", "put", link, '{"name":"Ada"}');
  expect(await run("backup", backups, "--quiet")).toEqual({ code: 0, output: "", log: "" });
  const name = (await ok("verify", backups, "--detach")).trim();
  expect(name).toMatch(/^operations\/[0-9a-f-]+$/);
  expect(await ok("operations", "watch", name)).toContain(`${name} completed in`);
  expect(await ok("operations", "cancel", name)).toContain("was already done. Nothing was changed");
}, 120_000);

test("documents support expected versions, bodies and filters", async () => {
  const { ok, run, root } = await startFixture();
  const file = join(root, "ada.json");
  writeFileSync(file, '{"name":"Ada","counter":9007199254740993}');
  expect(await ok("documents", "put", link, file)).toContain(
    "Created /core/examples/ada  version 0",
  );
  expect(await ok("documents", "put", link, file, "--expected-version", "0")).toContain("Replaced");
  const conflict = await run(
    "documents",
    "patch",
    link,
    '{"counter":1}',
    "--expected-version",
    "0",
  );
  expect(conflict).toMatchObject({ code: 70, log: expect.stringContaining("documents get LINK") });
  expect(await ok("documents", "get", link, "--version", "0")).toContain(
    '"counter":9007199254740993',
  );
  expect(
    await ok(
      "documents",
      "list",
      "/core/examples",
      "--filter",
      "name eq 'Ada'",
      "--bodies",
      "--limit",
      "5",
    ),
  ).toContain('"name":"Ada"');
  expect(await ok("documents", "delete", link)).toContain("Deleted");
  expect(await ok("documents", "history", link, "--limit", "1")).toMatch(
    /^\S+ {2}version 2 .*DELETE\n$/,
  );
  // The version continues from the deleted one.
  expect(await ok("documents", "put", link, file)).toContain(
    "Created /core/examples/ada  version 3",
  );
}, 120_000);

test("status lists recent backups and exits with 69 if they are unhealthy", async () => {
  const { ok, run, backups } = await startFixture("--backup-max-age", "1s");
  await ok("documents", "put", link, '{"name":"Ada"}');
  await ok("backup", backups);
  // Longer than the maximum age.
  await new Promise((done) => setTimeout(done, 1500));
  const { code, output } = await run("status");
  expect(code).toBe(69);
  expect(output).toMatch(/backup health +UNHEALTHY: /);
  expect(output).toMatch(/INDEX +DESTINATION .*\n\/core\/document-index +\S*backups +\d.* ago/);
}, 60_000);

test("config check shows the source of each setting, reports unknown variables and rejects an invalid configuration", async () => {
  const root = temporaryDirectory();
  const tokens = join(root, "tokens");
  writeFileSync(tokens, "0123456789-secret admin\n");
  const config = join(root, "holdfast.yaml");
  writeFileSync(config, `http-port: 9000\ntoken-file: ${tokens}\n`);
  mkdirSync(join(root, "backups"));
  const env = {
    HOLDFAST_GRPC_PORT: "9001",
    HOLDFAST_GRCP_HOST: "0.0.0.0",
    HOLDFAST_BACKUP_ROOT: join(root, "backups"),
  };
  const good = await runToEnd(
    ["config", "check", "--config", config, "--data-dir", join(root, "data")],
    { env },
  );
  expect(good.code).toBe(0);
  expect(good.output).toMatch(new RegExp(`http-port +9000 +${config}`));
  expect(good.output).toMatch(/grpc-port +9001 +HOLDFAST_GRPC_PORT/);
  expect(good.output).toMatch(/data-dir .* --data-dir/);
  expect(good.log).toContain("HOLDFAST_GRCP_HOST");
  expect(good.output + good.log).not.toContain("secret");
  expect(existsSync(join(root, "data"))).toBe(false);
  writeFileSync(tokens, "0123456789-secret emperor\n");
  expect(await runToEnd(["config", "check", "--config", config], { env })).toMatchObject({
    code: 78,
    log: expect.stringContaining("Line 1 of the token file"),
  });
  for (const [destination, code] of [
    ["s3://backups/automatic", 0],
    ["s3:backups/automatic", 78],
  ] as const) {
    const args = ["config", "check", "--data-dir", join(root, "data")];
    expect(await runToEnd([...args, "--auto-backup-destination", destination])).toMatchObject({
      code,
    });
  }
  expect(await runToEnd(["config", "check", "--http-host", "0.0.0.0"])).toMatchObject({
    code: 78,
    log: expect.stringContaining("--token-file"),
  });
}, 120_000);
