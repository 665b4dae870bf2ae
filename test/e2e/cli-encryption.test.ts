import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HostError } from "../../src/errors.js";
import { generateIdentity } from "../../src/encryption/identities.js";
import { hints } from "../../src/cli/hints.js";
import { hostFixture } from "../support/host-fixture.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { run } from "../support/tools.js";

const holdfast = (...args: string[]) =>
  run(process.execPath, ["dist/src/cli/main.js", ...args], { timeoutMs: 30_000 });

test("inspect and list show encryption, recipients and stored sizes", async () => {
  const root = temporaryDirectory();
  cpSync("test/golden/v2/directory", join(root, "b"), { recursive: true });
  const { stdout: inspected } = await holdfast("inspect", join(root, "b"));
  expect(inspected).toMatch(/^encrypted +to age10rgtsn3[a-z0-9]+$/m);
  expect(inspected).toMatch(/^SEGMENT +KIND +RECORDS +SIZE +STORED /m);
  expect(inspected).toMatch(/\.sqlite\.gz\.age +base +42 +376\.8 kB +4\.6 kB /);
  const { stdout: listed } = await holdfast("list", root);
  expect(listed).toMatch(/^complete .* directory, encrypted +/m);
});

test("list --strict fails if a backup is not signed by a trusted signer", async () => {
  const root = temporaryDirectory();
  cpSync("test/golden/v2/directory", join(root, "b"), { recursive: true });
  const signers = join(root, "signers");
  const fixture = await hostFixture();
  writeFileSync(
    signers,
    `another ${readFileSync(join(fixture.root, "data/signing-key.pub"), "utf8")}`,
  );
  for (const [flags, code] of [
    [[], 0],
    [["--strict"], 65],
  ] as const)
    expect(await holdfast("list", root, "--trusted-signers", signers, ...flags)).toMatchObject({
      code,
      stdout: expect.stringContaining("untrusted") as string,
    });
});

test("an untrusted backup that is newer is mentioned by everything that uses the newest", async () => {
  const [fixture, other] = [await hostFixture(), await hostFixture()];
  await fixture.put("a", { first: 1 });
  await fixture.backup("b");
  await other.put("a", { second: 2 });
  const { management } = other.host;
  const request = { container: "DIRECTORY", indexLink: "/core/document-index" } as const;
  await other.finish(management.backup({ destination: fixture.uri("b"), ...request }));
  const signers = join(fixture.root, "signers");
  const key = readFileSync(join(fixture.root, "data/signing-key.pub"), "utf8");
  writeFileSync(signers, `shop ${key}`);
  const directory = join(fixture.root, "b");
  for (const command of [
    ["verify", directory],
    ["inspect", directory],
    ["export", directory],
    ["diff", directory, directory],
  ]) {
    const ran = await holdfast(...command, "--trusted-signers", signers);
    expect([command[0], ran.code]).toEqual([command[0], 0]);
    expect(ran.stdout + ran.stderr).toMatch(/Warning: .*without the signature of a trusted signer/);
  }
});

test("a key in place of the name of its file is not repeated", async () => {
  const { identityFile, recipient } = await generateIdentity({ createdMs: 0 });
  const key = /AGE-SECRET-KEY-\S+/.exec(identityFile)![0];
  for (const [given, wanted] of [
    [key, "An identity itself was given"],
    [recipient, "A recipient was given"],
  ] as const) {
    const { code, stdout, stderr } = await holdfast("verify", "/none", "--identity", given);
    expect(code).not.toBe(0);
    expect(stderr).toContain(wanted);
    expect(stdout + stderr).not.toContain(key);
  }
});

test("inspect does not mention encryption of a backup in the clear", async () => {
  const { stdout } = await holdfast("inspect", "test/golden/v1/directory");
  expect(stdout).not.toContain("encrypted");
  expect(stdout).toMatch(/^SEGMENT +KIND +RECORDS +SIZE +STORED /m);
});

test("ENCRYPTION_REQUIRED names the options", () => {
  const error = new HostError("ENCRYPTION_REQUIRED", "The backups are encrypted.");
  expect(hints("backup", error).join()).toMatch(/--recipient .*--no-encryption/);
});
