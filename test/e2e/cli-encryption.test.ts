import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HostError } from "../../src/errors.js";
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

test("inspect does not mention encryption of a backup in the clear", async () => {
  const { stdout } = await holdfast("inspect", "test/golden/v1/directory");
  expect(stdout).not.toContain("encrypted");
  expect(stdout).toMatch(/^SEGMENT +KIND +RECORDS +SIZE +STORED /m);
});

test("ENCRYPTION_REQUIRED names the options", () => {
  const error = new HostError("ENCRYPTION_REQUIRED", "The backups are encrypted.");
  expect(hints("backup", error).join()).toMatch(/--recipient .*--no-encryption/);
});
