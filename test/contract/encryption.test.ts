import {
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { canWriteZstd } from "../../src/encoding/compression.js";
import { generateIdentity } from "../../src/encryption/identities.js";
import { inMemoryIndexLink } from "../../src/service/documents/factories.js";
import { systemPlatform } from "../../src/io/platform.js";
import { eventually } from "../support/eventually.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { transferFixture } from "../support/transfer-fixture.js";

let key: { recipient: string; identityFile: string };
let other: typeof key;
beforeAll(async () => {
  key = await generateIdentity({ createdMs: 0 });
  other = await generateIdentity({ createdMs: 0 });
});

const withKey = ({ identityFile } = key) => ({
  decryptWith: { identities: identityFile, passphrase: "" },
});
const to = (...recipients: string[]) => ({ encryption: { encryptTo: { recipients } } });
const inTheClear = { encryption: { disabled: true } };

const path = ({ root }: HostFixture, name: string) => join(root, name);
const segmentsIn = (fixture: HostFixture, name: string) =>
  readdirSync(path(fixture, name)).filter((file) => /^(base|delta)-/.test(file));
function manifestIn(fixture: HostFixture, name: string): string {
  const [file = ""] = readdirSync(path(fixture, name)).filter((one) => one.startsWith("manifest-"));
  return readFileSync(join(path(fixture, name), file), "utf8");
}

describe("a host with recipients", () => {
  test("encrypts to them unless a request states otherwise", async () => {
    const fixture = await hostFixture({ recipients: `# ours\n${key.recipient}\n` });
    await fixture.put("a", { n: 1 });
    const { backup } = await fixture.backup("b");
    expect(backup.encryption).toEqual({ recipients: [key.recipient] });
    expect(segmentsIn(fixture, "b")).toEqual([expect.stringMatching(/\.sqlite\.age$/)]);
    await fixture.restore("b", withKey());

    await fixture.backup("other", to(other.recipient));
    await expect(fixture.restore("other", withKey())).rejects.toMatchObject({
      reason: "IDENTITY_MISSING",
    });
    await fixture.restore("other", withKey(other));

    await fixture.backup("clear", inTheClear);
    expect(segmentsIn(fixture, "clear")).toEqual([expect.stringMatching(/\.sqlite$/)]);
    await fixture.restore("clear");
  });

  test("backs up and merges automatically, without an identity", async () => {
    const pace = { intervalMs: 5, retryMs: 10, retryMaxMs: 80, mergeDeltas: 3, mergeBytes: 20_000 };
    const platform = { ...systemPlatform, autoBackup: pace };
    const fixture = await hostFixture({ recipients: key.recipient, platform });
    const { control } = fixture.host;
    const directory = "data/auto-backup";
    await fixture.put("first", { n: 0 });
    await control.configureAutoBackup(true);
    const isCurrent = () => control.autoBackup().state === "CURRENT";
    let merged = false;
    for (let i = 0; i < 40 && !merged; i += 1) {
      await fixture.put("a", { i, pad: "x".repeat(5000) });
      await nextTurn();
      await eventually(isCurrent, { state: () => control.autoBackup() });
      // Without a merge, each write is another segment.
      merged = segmentsIn(fixture, directory).length < i;
    }
    expect(merged).toBe(true);
    await control.configureAutoBackup(false);
    for (const name of segmentsIn(fixture, directory)) expect(name).toMatch(/\.age$/);
    const expected = await fixture.contents();
    await fixture.put("a", { later: true });
    await fixture.restore(directory, withKey());
    expect(await fixture.contents()).toEqual(expected);
  });

  test("an invalid recipient stops the start, and a request before it writes", async () => {
    await expect(hostFixture({ recipients: "age1qq" })).rejects.toMatchObject({
      reason: "RECIPIENT_INVALID",
    });
    const fixture = await hostFixture();
    await expect(fixture.backup("b", to("age1qq"))).rejects.toMatchObject({
      reason: "RECIPIENT_INVALID",
    });
    expect(() => readdirSync(path(fixture, "b"))).toThrow("ENOENT");
    // What age ignores in a list of recipients is not stated in a manifest either.
    const { backup } = await fixture.backup("b", to(` ${key.recipient} `, "# us", key.recipient));
    expect(backup.encryption).toEqual({ recipients: [key.recipient] });
    expect(await fixture.host.management.describeBackup(fixture.uri("b"))).toEqual(backup);
  });
});

(canWriteZstd ? test.skip : test)(
  "zstd on a Node without it is refused before any work",
  async () => {
    const fixture = await hostFixture();
    await expect(
      fixture.host.management.backup({
        destination: fixture.uri("b"),
        container: "DIRECTORY",
        indexLink: "/core/document-index",
        compression: "zstd",
      }),
    ).rejects.toMatchObject({ reason: "NOT_SUPPORTED" });
  },
);

describe("a chain of encrypted segments", () => {
  test("is extended for the same recipients in any order, and starts again for others", async () => {
    const fixture = await hostFixture();
    await fixture.put("a", { n: 1 });
    await fixture.backup("b", to(key.recipient, other.recipient));
    await fixture.put("a", { n: 2 });
    await fixture.backup("b", to(other.recipient, key.recipient));
    expect(segmentsIn(fixture, "b")).toHaveLength(2);
    await fixture.put("a", { n: 3 });
    const plan = await fixture.backup("b", { ...to(key.recipient), validateOnly: true });
    expect(plan.plan).toMatchObject({
      kind: "BASE",
      reason: expect.stringContaining("recipients"),
    });
    await fixture.backup("b", to(key.recipient));
    expect(segmentsIn(fixture, "b")).toHaveLength(1);
  });

  test("is not continued in the clear unless requested, which a dry run reports", async () => {
    const fixture = await hostFixture();
    await fixture.put("a", { n: 1 });
    await fixture.backup("b", to(key.recipient));
    await fixture.put("a", { n: 2 });
    const before = readdirSync(path(fixture, "b"));
    for (const validateOnly of [true, false])
      await expect(fixture.backup("b", { validateOnly })).rejects.toMatchObject({
        reason: "ENCRYPTION_REQUIRED",
      });
    expect(readdirSync(path(fixture, "b"))).toEqual(before);
    await fixture.backup("b", inTheClear);
    expect(segmentsIn(fixture, "b")).toEqual([expect.stringMatching(/^base-.*\.sqlite$/)]);
    await fixture.restore("b");
  });

  const manifestsOf = (fixture: HostFixture) =>
    readdirSync(path(fixture, "b"))
      .filter((name) => name.startsWith("manifest-"))
      .map((name) => join(path(fixture, "b"), name));
  test.each<[string, (fixture: HostFixture) => void]>([
    [
      "damages the manifests",
      (fixture) => manifestsOf(fixture).forEach((file) => truncateSync(file, 20)),
    ],
    ["removes the manifests", (fixture) => manifestsOf(fixture).forEach((file) => rmSync(file))],
    ["removes everything", (fixture) => rmSync(path(fixture, "b"), { recursive: true })],
    [
      "puts a backup in the clear in its place",
      (fixture) => {
        rmSync(path(fixture, "b"), { recursive: true });
        renameSync(path(fixture, "clear"), path(fixture, "b"));
      },
    ],
  ])("is not replaced in the clear when whoever keeps it %s", async (_what, tamper) => {
    const fixture = await hostFixture();
    await fixture.put("a", { n: 1 });
    await fixture.backup("clear");
    await fixture.backup("b", to(key.recipient));
    tamper(fixture);
    await fixture.put("a", { n: 2 });
    await fixture.restart();
    for (const validateOnly of [true, false])
      await expect(fixture.backup("b", { validateOnly })).rejects.toMatchObject({
        reason: "ENCRYPTION_REQUIRED",
      });
    await fixture.backup("b", to(key.recipient));
    // What was requested explicitly is the new rule.
    await fixture.backup("b", inTheClear);
    await fixture.backup("b");
  });

  test("is not continued in the clear by another host, even without its manifests", async () => {
    const fixture = await hostFixture();
    await fixture.put("a", { n: 1 });
    await fixture.backup("b", to(key.recipient));
    for (const file of manifestsOf(fixture)) rmSync(file);
    const other = await hostFixture();
    renameSync(path(fixture, "b"), path(other, "b"));
    for (const validateOnly of [true, false])
      await expect(other.backup("b", { validateOnly })).rejects.toMatchObject({
        reason: "ENCRYPTION_REQUIRED",
      });
  });

  test("is not continued in the clear because another index at its destination is", async () => {
    const fixture = await hostFixture();
    await fixture.put("a", { n: 1 });
    const ofOther = { indexLink: inMemoryIndexLink };
    await fixture.backup("b", to(key.recipient));
    await fixture.backup("b", { ...ofOther, ...to(key.recipient) });
    await fixture.backup("b", { ...ofOther, ...inTheClear });
    // The explicit request is the rule of this index alone.
    await fixture.backup("b", ofOther);
    const names = readdirSync(path(fixture, "b"));
    rmSync(path(fixture, "b"), { recursive: true });
    expect(names.length).toBeGreaterThan(0);
    await expect(fixture.backup("b")).rejects.toMatchObject({ reason: "ENCRYPTION_REQUIRED" });
    await fixture.backup("b", ofOther);
  });

  test("that was replaced in the clear as requested stays so when its files are brought back", async () => {
    const fixture = await hostFixture();
    await fixture.put("a", { n: 1 });
    await fixture.backup("b", to(key.recipient));
    cpSync(path(fixture, "b"), path(fixture, "saved"), { recursive: true });
    await fixture.backup("b", inTheClear);
    cpSync(path(fixture, "saved"), path(fixture, "b"), { recursive: true });
    await fixture.put("a", { n: 2 });
    await fixture.backup("b");
    await fixture.restore("b");
  });

  test("the result states who can read the backup, and who no longer can", async () => {
    const fixture = await hostFixture();
    await fixture.put("a", { n: 1 });
    await fixture.backup("b", to(other.recipient));
    for (const [name, container] of [
      ["b", "DIRECTORY"],
      ["b.zip", "ZIP"],
    ] as const) {
      const first = await fixture.backup(name, { container, ...to(other.recipient) });
      expect(first).toMatchObject({
        warnings: [],
        backup: { encryption: { recipients: [other.recipient] } },
      });
      const was = `The last backup to ${fixture.uri(name)} was encrypted to `;
      const now = ` This one takes its place and is encrypted to ${key.recipient}.`;
      for (const validateOnly of [true, false]) {
        const { warnings } = await fixture.backup(name, {
          container,
          validateOnly,
          ...to(key.recipient),
        });
        const warning = warnings.at(-1) ?? "";
        expect(warning.startsWith(was) && warning.endsWith(now)).toBe(true);
      }
    }
    const { management } = fixture.host;
    const opened = await management.listBackups(fixture.uri("b.zip"), withKey());
    expect(opened).toMatchObject([{ backup: { encryption: { recipients: [] } } }]);
    const { warnings } = await fixture.backup("b", {
      encryption: { encryptTo: { recipients: [other.recipient] }, keepChain: true },
    });
    expect(warnings).toEqual([
      `The backup extends a chain whose earlier segments are encrypted to ${key.recipient}; new ones are encrypted to ${other.recipient}. A restore needs the keys of all of them.`,
    ]);
  });

  test("continues a plain or compressed chain if requested, and restores all of it", async () => {
    const fixture = await hostFixture();
    await fixture.put("a", { pad: "x".repeat(300_000) });
    await fixture.backup("b");
    await fixture.put("b", { n: 2 });
    await fixture.backup("b", { compression: "gzip" });
    await fixture.put("c", { n: 3 });
    await fixture.backup("b", {
      encryption: { encryptTo: { recipients: [key.recipient] }, keepChain: true },
      compression: "gzip",
    });
    const suffixes = segmentsIn(fixture, "b").map((name) => name.replace(/^.*?\./, ""));
    expect(suffixes).toEqual(["sqlite", "sqlite.gz", "sqlite.gz.age"]);
    const expected = await fixture.contents();
    await fixture.put("a", { later: true });
    await expect(fixture.restore("b")).rejects.toMatchObject({ reason: "IDENTITY_MISSING" });
    await fixture.restore("b", withKey());
    expect(await fixture.contents()).toEqual(expected);
  });

  test("has a manifest without a document, and without a digest of plain data", async () => {
    const fixture = await hostFixture({ retainedVersions: 1, historyMs: 0 });
    for (let n = 0; n < 3; n += 1) await fixture.put("the-link", { text: "the-body", n });
    await fixture.backup("plain");
    await fixture.backup("b", { ...to(key.recipient), compression: "gzip" });
    const manifest = manifestIn(fixture, "b");
    const {
      segments: [plain],
    } = JSON.parse(manifestIn(fixture, "plain")) as Listed;
    const {
      segments: [segment],
      window,
      lastRecord,
    } = JSON.parse(manifest) as Listed;
    expect(manifestIn(fixture, "plain")).toContain("the-link");
    for (const secret of ["the-link", "the-body", "crc", plain?.sha256 ?? "", "things"])
      expect(manifest).not.toContain(secret);
    expect(segment).toMatchObject({ sha256: "" });
    expect(window.boundingLink).toBe("");
    expect(lastRecord).toBeUndefined();
  });
});

interface Listed {
  segments: { sha256: string }[];
  window: { boundingLink: string };
  lastRecord?: unknown;
}

test.each(["DIRECTORY", "ZIP"] as const)(
  "no file of a %s destination is in the clear while a backup is written",
  async (container) => {
    const clear: string[] = [];
    let stages = 0;
    const fixture: HostFixture = await hostFixture({
      platform: {
        ...systemPlatform,
        async failpoint(name) {
          if (!name.startsWith("backup:") || name === "backup:snapshot-taken") return;
          stages += 1;
          for (const entry of readdirSync(fixture.root, { recursive: true, withFileTypes: true })) {
            const file = join(entry.parentPath, entry.name);
            if (!entry.isFile() || file.startsWith(path(fixture, "data/"))) continue;
            if (/SQLite format 3|^PK/.test(readFileSync(file, "latin1"))) clear.push(file);
          }
        },
      },
    });
    await fixture.put("a", { n: 1 });
    await fixture.backup("b", { container, ...to(key.recipient) });
    expect(stages).toBeGreaterThan(1);
    expect(clear).toEqual([]);
    expect(readdirSync(path(fixture, "data/temporary"))).toEqual([]);
  },
);

describe("an encrypted archive", () => {
  const zip = { container: "ZIP" } as const;

  test("is listed as encrypted without its identity, and as a backup with it", async () => {
    const fixture = await hostFixture();
    mkdirSync(path(fixture, "backups"));
    await fixture.backup("backups/b.zip", { ...zip, ...to(key.recipient) });
    const uri = fixture.uri("backups");
    for (const decryptWith of [undefined, { identities: other.identityFile, passphrase: "" }])
      expect(
        await fixture.host.management.listBackups(uri, { recursive: true, decryptWith }),
      ).toMatchObject([
        { state: "ENCRYPTED", problem: expect.stringContaining("Cannot decrypt") as string },
      ]);
    const decryptWith = { identities: key.identityFile, passphrase: "" };
    expect(
      await fixture.host.management.listBackups(uri, { recursive: true, decryptWith }),
    ).toMatchObject([{ state: "COMPLETE" }]);
  });

  test("of the host is replaced, also after a restart, but not in the clear", async () => {
    const fixture = await hostFixture();
    await fixture.put("a", { n: 1 });
    await fixture.backup("b.zip", { ...zip, ...to(key.recipient) });
    await fixture.restart();
    await fixture.put("a", { n: 2 });
    await fixture.backup("b.zip", { ...zip, ...to(other.recipient) });
    const before = readFileSync(path(fixture, "b.zip"));
    await expect(fixture.backup("b.zip", zip)).rejects.toMatchObject({
      reason: "ENCRYPTION_REQUIRED",
    });
    expect(readFileSync(path(fixture, "b.zip")).equals(before)).toBe(true);
    expect(
      await fixture.backup("b.zip", { ...zip, ...to(key.recipient), validateOnly: true }),
    ).toMatchObject({ plan: { kind: "BASE" } });
    await fixture.restore("b.zip", withKey(other));
    expect(await fixture.contents()).toEqual({ a: '{"n":2}' });
    await fixture.backup("b.zip", { ...zip, ...inTheClear });
    await fixture.restore("b.zip");
  });

  test("of another host or index, and a plain file in its place, are not replaced", async () => {
    const [one, two] = [await hostFixture(), await hostFixture()];
    const encrypted = { ...zip, ...to(key.recipient) };
    await one.backup("b.zip", encrypted);
    const refused = { reason: "DESTINATION_OCCUPIED" };
    await expect(
      two.backup("", { ...encrypted, destination: one.uri("b.zip") }),
    ).rejects.toMatchObject(refused);
    const indexLink = "/core/in-memory-document-index";
    await expect(one.backup("b.zip", { ...encrypted, indexLink })).rejects.toMatchObject(refused);
    renameSync(path(one, "b.zip"), path(one, "moved.zip"));
    writeFileSync(path(one, "b.zip"), "someone's file");
    await expect(one.backup("b.zip", encrypted)).rejects.toMatchObject(refused);
    expect(readFileSync(path(one, "b.zip"), "utf8")).toBe("someone's file");
  });

  test("leaves no decrypted copy, whatever the identity", async () => {
    const fixture = await transferFixture();
    await fixture.put("a", { n: 1 });
    await fixture.backup("b.zip", { ...zip, ...to(key.recipient) });
    for (const decryptWith of [undefined, withKey(other).decryptWith])
      await expect(
        fixture.restore("b.zip", { ...(decryptWith && { decryptWith }) }),
      ).rejects.toMatchObject({ reason: "IDENTITY_MISSING" });
    await fixture.restore("b.zip", withKey());
    expect(fixture.leftovers()).toEqual([]);
  });

  test("is a transfer like any other", async () => {
    const fixture = await transferFixture();
    await fixture.put("a", { n: 1 });
    const { backup } = await fixture.backupTo("transfer:", { ...zip, ...to(key.recipient) });
    await fixture.put("a", { n: 2 });
    await expect(fixture.restoreFrom(backup.uri)).rejects.toMatchObject({
      reason: "IDENTITY_MISSING",
    });
    await fixture.restoreFrom(backup.uri, withKey());
    expect(await fixture.contents()).toEqual({ a: '{"n":1}' });
  });
});

test("secrets are in no file, log, operation or error of the host", async () => {
  const lines: string[] = [];
  const log = (fields: object, message: string) =>
    void lines.push(
      JSON.stringify(fields, (_name, value: unknown) =>
        value instanceof Error ? String(value.stack) : value,
      ),
      message,
    );
  const logger = { info: log, warn: log, error: log };
  const tokens = "the-admin admin name=alice\n";
  const fixture = await hostFixture({ tokens, logger });
  await fixture.put("a", { n: 1 });
  mkdirSync(path(fixture, "b"));
  const passphrase = "correct-horse-battery";
  const secret = key.identityFile.split("\n")[2] ?? "";
  const url = `http://127.0.0.1:${fixture.host.httpAddress.port}`;
  const seen: string[] = [];
  async function call(method: string, route: string, body?: object): Promise<void> {
    const response = await fetch(url + route, {
      method,
      headers: { authorization: "Bearer the-admin", "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    seen.push(await response.text());
  }
  const uri = fixture.uri("b");
  const decryption = { identities: secret, passphrase };
  const wrong = { identities: secret.slice(0, -1), passphrase };
  const both = { passphrase, recipients: [key.recipient] };
  await call("POST", "/v1/backups", {
    destination: uri,
    container: "CONTAINER_DIRECTORY",
    encryption: { passphrase },
    requestId: "r1",
  });
  await call("POST", "/v1/backups", {
    destination: uri,
    container: "CONTAINER_DIRECTORY",
    encryption: { passphrase },
    requestId: "r1",
  });
  await call("POST", "/v1/backups", {
    destination: uri,
    container: "CONTAINER_DIRECTORY",
    encryption: both,
  });
  await call("POST", "/v1/backups", {
    destination: uri,
    container: "CONTAINER_DIRECTORY",
    encryption: { recipients: [secret] },
  });
  await eventually(() => segmentsIn(fixture, "b").some((name) => name.endsWith(".age")), {
    state: () => [seen, fixture.host.operations.list(10)],
  });
  for (const keys of [decryption, wrong]) {
    await call("POST", "/v1/backups:verify", { uri, decryption: keys });
    await call("POST", "/v1/restores", {
      source: uri,
      decryption: keys,
      requestId: `q${seen.length}`,
    });
  }
  await eventually(() => fixture.host.operations.list(100).operations.every(({ done }) => done));
  await call("GET", "/v1/operations");
  expect(seen.join("\n")).toContain("IDENTITY_INVALID");
  await fixture.stop();
  const texts = [
    ...seen,
    ...lines,
    ...["data", "b"].flatMap((name) =>
      readdirSync(path(fixture, name), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1")),
    ),
  ];
  expect(texts.some((text) => text.includes("alice"))).toBe(true);
  for (const text of texts) {
    expect(text).not.toContain(passphrase);
    expect(text.toUpperCase()).not.toContain(secret.slice(0, 40));
  }
});
