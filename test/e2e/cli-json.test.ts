import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import {
  DiffSummarySchema,
  DocumentDifferenceSchema,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { answerRegistry } from "../../src/client/message-json.js";
import { commandTree } from "../../src/cli/command-tree.js";
import { createProgram } from "../../src/cli/program.js";
import { freePort } from "../support/free-port.js";
import { runToEnd, serve } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** The message of each command's result, as documented in docs/cli-json.md. */
const table = new Map(
  [
    ...readFileSync("docs/cli-json.md", "utf8").matchAll(/^\| `([a-z -]+)` \| `([\w.]+)` \|$/gm),
  ].map(([, command = "", message = ""]) => [command, message]),
);

function parse(command: string, output: string): unknown {
  const document = JSON.parse(output) as { schema: string; command: string; result: JsonValue };
  expect(document).toEqual({ schema: "holdfast.cli/v1", command, result: expect.anything() });
  const name = table.get(command) ?? "";
  const schema = name === StructSchema.typeName ? StructSchema : answerRegistry.getMessage(name);
  if (!schema) throw new Error(`${command}: no message ${name}`);
  return fromJson(schema, document.result, { registry: answerRegistry });
}

test("documents the result of every command with --json", () => {
  const commands = commandTree(createProgram()).filter(({ options }) =>
    options.some(({ long }) => long === "--json"),
  );
  expect(commands.map(({ path }) => path.join(" ")).sort()).toEqual([...table.keys()].sort());
});

test("prints the documented message for every command, and the reason of an error", async () => {
  const root = temporaryDirectory();
  const host = await serve(["--data-dir", join(root, "data")]);
  const backups = join(root, "backups");
  const run = async (command: string, ...more: string[]) => {
    const { code, output, log } = await runToEnd([
      ...command.split(" "),
      ...more,
      "--json",
      ...(command === "config check" ? [] : ["--address", host.grpc]),
    ]);
    const differs = command === "diff" || command === "documents compare";
    expect({ command, code, log }).toEqual({ command, code: differs ? 1 : 0, log: "" });
    return parse(command, output);
  };
  const link = "/core/examples/ada";
  writeFileSync(
    join(root, "in.ndjson"),
    '{"documentSelfLink":"one","name":"one"}\n{"documentSelfLink":"two","name":"two"}\n',
  );
  writeFileSync(join(root, "secret"), `whsec_${Buffer.alloc(24).toString("base64")}\n`);
  mkdirSync(join(root, "copies"));
  const seen = new Map<string, unknown>();
  const steps: [command: string, ...more: string[]][] = [
    ["documents put", link, '{"name":"Ada","counter":9007199254740993}'],
    ["import", join(root, "in.ndjson"), "--factory", "/core/examples"],
    ["destination check", backups],
    ["backup", backups],
    ["documents patch", link, '{"name":"Ada Lovelace"}'],
    ["documents get", link],
    ["documents list", "/core/examples"],
    ["documents history", link],
    ["documents compare", link],
    ["documents delete", link],
    ["diff", backups, "--live"],
    ["verify", backups],
    ["test-restore", backups],
    ["copy", backups, join(root, "copies")],
    ["check"],
    ["activity"],
    ["inspect", backups],
    ["list", root],
    ["export", backups, "-o", join(root, "out.ndjson")],
    ["restore", backups, "--yes"],
    ["undo", "--yes"],
    ["prune", backups, "--keep", "1"],
    ["policy add", "nightly", join(root, "policy"), "--cron", "0 3 * * *", "--keep-daily", "7"],
    [
      "policy edit",
      "nightly",
      "--webhook",
      `http://127.0.0.1:${await freePort()}/`,
      "--webhook-secret-file",
      join(root, "secret"),
    ],
    ["policy run", "nightly", "--wait"],
    ["policy runs", "nightly"],
    ["policy preview", "nightly", "--keep-last", "1"],
    ["policy pause", "nightly"],
    ["policy resume", "nightly"],
    ["policy list"],
    ["policy show", "nightly"],
    ["policy test-notifications", "nightly"],
    ["policy deliveries", "nightly"],
    ["operations list"],
    ["open", backups],
    ["status"],
    ["config check"],
  ];
  for (const [command, ...more] of steps) seen.set(command, await run(command, ...more));
  expect(seen.get("import")).toMatchObject({ documents: 2n, created: 2n, done: true });
  expect(seen.get("documents history")).toMatchObject({
    versions: [{ version: 1n }, { version: 0n }],
  });
  expect(
    Buffer.from(
      (seen.get("documents get") as { body: { value: Uint8Array } }).body.value,
    ).toString(),
  ).toContain("9007199254740993");
  expect(seen.get("diff")).toMatchObject({
    differences: [{ selfLink: link }],
    summary: { deleted: 1n, unchanged: 2n },
  });
  expect(seen.get("documents compare")).toMatchObject({
    from: { version: 0n },
    to: { version: 1n },
    differences: [{ path: "/name", fromJson: '"Ada"', toJson: '"Ada Lovelace"' }],
  });
  expect(seen.get("open")).toMatchObject({
    documents: 3n,
    source: expect.stringMatching(/^file:/),
  });
  expect(seen.get("export")).toMatchObject({ count: 3n });
  expect(seen.get("restore")).toMatchObject({ documents: 3n });
  expect(seen.get("undo")).toMatchObject({ documents: 2n });
  const { name } = (seen.get("operations list") as { operations: { name: string }[] })
    .operations[0]!;
  seen.set("operations watch", await run("operations watch", name));
  seen.set("operations cancel", await run("operations cancel", name));
  const [opened] = (seen.get("status") as { openedIndexes: { indexLink: string }[] }).openedIndexes;
  seen.set("close", await run("close", opened?.indexLink ?? ""));
  const [delivery] = (seen.get("policy deliveries") as { deliveries: { id: string }[] }).deliveries;
  const [kept] = (seen.get("list") as { backups: { name: string }[] }).backups;
  seen.set("pin", await run("pin", backups, kept?.name ?? "", "--reason", "audit"));
  seen.set("unpin", await run("unpin", backups, kept?.name ?? ""));
  seen.set("policy replay", await run("policy replay", delivery?.id ?? ""));
  seen.set("policy remove", await run("policy remove", "nightly", "--yes"));
  expect(seen.get("test-restore")).toMatchObject({ documents: 3n, compared: true });
  expect(seen.get("policy run")).toMatchObject({ policy: "nightly", steps: expect.any(Array) });
  expect(seen.get("policy list")).toMatchObject({
    policies: [{ name: "automatic" }, { name: "nightly" }],
  });
  expect([...seen.keys()].sort()).toEqual([...table.keys()].sort());

  const lines = (
    await runToEnd(["diff", backups, "--live", "--format", "ndjson", "--address", host.grpc])
  ).output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as JsonValue);
  expect(fromJson(DocumentDifferenceSchema, lines[0]!)).toMatchObject({ selfLink: link });
  expect(
    fromJson(DiffSummarySchema, (lines.at(-1) as { summary: JsonValue }).summary),
  ).toMatchObject({ deleted: 1n });

  const failed = await runToEnd(["inspect", join(root, "nothing"), "--json"]);
  expect(failed).toMatchObject({ code: 66, log: "" });
  expect(JSON.parse(failed.output)).toEqual({
    schema: "holdfast.cli/v1",
    command: "inspect",
    error: {
      code: "NOT_FOUND",
      reason: "BACKUP_NOT_FOUND",
      message: expect.any(String),
      metadata: expect.any(Object),
    },
  });
  const misspelt = await runToEnd(["backup", "--bogus", "--json"]);
  expect(misspelt.code).toBe(64);
  expect(JSON.parse(misspelt.output)).toMatchObject({
    command: "",
    error: { reason: "REQUEST_INVALID" },
  });
}, 120_000);
