import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { haveTools } from "../support/tools.js";

const indexLink = "/core/document-index";

/** The line of a host in a file of trusted signers. */
async function signerOf(fixture: HostFixture): Promise<string> {
  return `host ${(await fixture.host.management.host()).signingKey}\n`;
}

const manifestIn = (directory: string) =>
  readdirSync(directory).find((name) => /^manifest-.*\.json$/.test(name)) ?? "";

test("a host keeps its signing key, and another key signs after the file was moved away", async () => {
  const fixture = await hostFixture();
  const key = join(fixture.root, "data", "signing-key");
  const first = await signerOf(fixture);
  expect(statSync(key).mode & 0o777).toBe(0o600);
  expect(`host ${readFileSync(`${key}.pub`, "utf8")}`).toBe(first);
  await fixture.restart();
  expect(await signerOf(fixture)).toBe(first);
  await fixture.stop();
  renameSync(key, join(fixture.root, "old-key"));
  rmSync(`${key}.pub`);
  await fixture.restart();
  const second = await signerOf(fixture);
  expect(second).not.toBe(first);
  expect(`host ${readFileSync(`${key}.pub`, "utf8")}`).toBe(second);
});

test("a host with a damaged signing key does not start", async () => {
  const fixture = await hostFixture();
  await fixture.stop();
  writeFileSync(join(fixture.root, "data", "signing-key"), "not a key", { mode: 0o600 });
  await expect(fixture.restart()).rejects.toMatchObject({ reason: "SIGNING_KEY_INVALID" });
});

test("a host that has lost its signing key does not silently create another one", async () => {
  const fixture = await hostFixture();
  await fixture.stop();
  rmSync(join(fixture.root, "data", "signing-key"));
  await expect(fixture.restart()).rejects.toMatchObject({
    reason: "SIGNING_KEY_INVALID",
    message: expect.stringContaining("is missing") as string,
  });
});

test("a host that does not trust its own key does not start, and names the line to add", async () => {
  const [fixture, other] = [await hostFixture(), await hostFixture()];
  const own = (await signerOf(fixture)).trim().replace(/^host /, "");
  await expect(fixture.restart({ trustedSigners: await signerOf(other) })).rejects.toMatchObject({
    reason: "TRUSTED_SIGNERS_INVALID",
    message: expect.stringContaining(`Add the line: NAME ${own}`) as string,
  });
  const both = (await signerOf(other)) + `host ${own}\n`;
  await fixture.restart({ trustedSigners: both });
});

test("ssh-keygen verifies the manifest of a backup", async () => {
  if (!haveTools("verifying a manifest by hand", "ssh-keygen")) return;
  const fixture = await hostFixture();
  await fixture.put("a", { a: 1 });
  await fixture.backup("backups");
  const directory = join(fixture.root, "backups");
  const manifest = join(directory, manifestIn(directory));
  const signers = join(fixture.root, "signers");
  writeFileSync(signers, await signerOf(fixture));
  const verify = () =>
    execFileSync(
      "ssh-keygen",
      [
        ...["-Y", "verify", "-n", "holdfast-manifest", "-f", signers, "-I", "host"],
        ...["-s", `${manifest}.sig`],
      ],
      { input: readFileSync(manifest), stdio: ["pipe", "pipe", "pipe"] },
    ).toString();
  expect(verify()).toContain("Good");
  writeFileSync(manifest, readFileSync(manifest, "utf8").replace("documents", "Documents"));
  expect(verify).toThrow();
});

describe.each(["DIRECTORY", "ZIP"] as const)(
  "with trusted signers, a backup of type %s",
  (type) => {
    let fixture: HostFixture;
    let name: string;
    const uri = () => fixture.uri(name);
    beforeEach(async () => {
      name = type === "ZIP" ? "b.zip" : "backups";
      fixture = await hostFixture();
      await fixture.put("a", { a: 1 });
      await fixture.backup(name, { container: type });
    });

    test("of a trusted host is listed, verified, restored and continued", async () => {
      await fixture.restart({ trustedSigners: await signerOf(fixture) });
      const { management } = fixture.host;
      expect(await management.listBackups(uri())).toMatchObject([{ state: "COMPLETE" }]);
      expect(await fixture.finish(management.verifyBackup(uri()))).toMatchObject({ records: 1 });
      await fixture.put("b", { b: 1 });
      expect(await fixture.backup(name, { container: type })).toMatchObject({ warnings: [] });
      expect(await fixture.restore(name)).toMatchObject({ documents: 2 });
    });

    test("of another host is neither listed as complete, verified nor restored", async () => {
      // The host is another one as far as its key shows.
      await fixture.stop();
      const key = join(fixture.root, "data", "signing-key");
      for (const path of [key, `${key}.pub`]) rmSync(path);
      await fixture.restart();
      await fixture.restart({ trustedSigners: await signerOf(fixture) });
      const { management } = fixture.host;
      expect(await management.listBackups(uri())).toMatchObject([
        { state: "UNTRUSTED", problem: expect.stringContaining("SHA256:") as string },
      ]);
      const refused = { reason: "SIGNER_NOT_TRUSTED" };
      await expect(management.verifyBackup(uri())).rejects.toMatchObject(refused);
      await expect(management.describeBackup(uri())).rejects.toMatchObject(refused);
      await expect(fixture.restore(name)).rejects.toMatchObject(refused);
      const before = await fixture.contents();
      expect(await fixture.contents()).toEqual(before);
    });
  },
);

test("a manifest without signature, or with that of another one, is refused", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", { a: 1 });
  await fixture.backup("backups");
  await fixture.backup("others");
  await fixture.restart({ trustedSigners: await signerOf(fixture) });
  const [directory, others] = [join(fixture.root, "backups"), join(fixture.root, "others")];
  const signature = join(directory, `${manifestIn(directory)}.sig`);
  copyFileSync(join(others, `${manifestIn(others)}.sig`), signature);
  await expect(fixture.restore("backups")).rejects.toMatchObject({ reason: "SIGNATURE_INVALID" });
  rmSync(signature);
  await expect(fixture.restore("backups")).rejects.toMatchObject({ reason: "SIGNATURE_MISSING" });
});

test("a forged manifest does not become the newest backup, and removes nothing", async () => {
  const fixture = await hostFixture();
  const forger = await hostFixture();
  await fixture.put("a", { own: true });
  await fixture.backup("backups");
  await forger.put("a", { forged: true });
  await forger.finish(
    forger.host.management.backup({
      destination: fixture.uri("backups"),
      container: "DIRECTORY",
      indexLink,
    }),
  );
  await fixture.restart({ trustedSigners: await signerOf(fixture) });
  const restored = await fixture.restore("backups");
  expect(restored.warnings).toEqual([expect.stringContaining("was ignored")]);
  expect(await fixture.contents()).toEqual({ a: '{"own":true}' });
  const directory = join(fixture.root, "backups");
  const before = readdirSync(directory);
  await fixture.put("b", {});
  const { warnings } = await fixture.backup("backups");
  expect(warnings.join(" ")).toContain("cannot be used");
  for (const each of before) expect(existsSync(join(directory, each))).toBe(true);
});
