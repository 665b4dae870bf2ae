import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { HostError } from "../errors.js";
import { nodeFileSystem } from "../io/node-file-system.js";
import { limits } from "../limits.js";
import { createEncryption } from "./encryption.js";
import { generateIdentity, Identities } from "./identities.js";
import { parseIdentities, readIdentityText } from "./identity-file.js";
import { parseRecipients, readRecipientsFile } from "./recipients.js";

const createdMs = Date.parse("2026-03-04T05:06:07.890Z");
const unasked = async (): Promise<string> => {
  throw new Error("asked for a passphrase");
};

let a: { recipient: string; identityFile: string };
let b: typeof a;
let hybrid: typeof a;
beforeAll(async () => {
  a = await generateIdentity({ createdMs });
  b = await generateIdentity({ createdMs });
  hybrid = await generateIdentity({ createdMs, postQuantum: true });
});

const keyOf = ({ identityFile }: typeof a) => identityFile.split("\n")[2]!;

async function refused(work: Promise<unknown>, reason: string): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HostError);
  expect(error).toMatchObject({ reason });
  const shown = inspect(error, { depth: 9 });
  for (const secret of [keyOf(a), keyOf(b), keyOf(hybrid)].flatMap((key) => [
    key,
    key.toLowerCase(),
  ]))
    expect(shown).not.toContain(secret.slice(20));
  return (error as HostError).message;
}

test("generates an identity file in the format of age-keygen", async () => {
  expect(a.identityFile).toMatch(
    /^# created: 2026-03-04T05:06:07Z\n# public key: age1[a-z0-9]{58}\nAGE-SECRET-KEY-1[A-Z0-9]{58}\n$/,
  );
  expect(hybrid.identityFile).toMatch(/\n# public key: age1pq1[a-z0-9]{1952}\nAGE-SECRET-KEY-PQ-1/);
  for (const one of [a, hybrid])
    expect(await (await Identities.parse(one.identityFile)).recipients()).toEqual([one.recipient]);
});

describe("a list of recipients", () => {
  test("ignores comments, empty lines, order and repetition", async () => {
    const one = await parseRecipients(`# ours\r\n\r\n ${a.recipient} \r\n${b.recipient}`);
    const other = await parseRecipients(`${b.recipient}\n${a.recipient}\n${a.recipient}\n`);
    expect(one).toEqual({ list: [a.recipient, b.recipient].sort(), postQuantum: false });
    expect(other).toEqual(one);
  });

  test("refuses what is not a supported recipient, by its line and without its text", async () => {
    for (const [line, message] of [
      [keyOf(a), "is an identity, which is secret"],
      [keyOf(a).toLowerCase(), "is an identity, which is secret"],
      [a.recipient.slice(0, -1), "is not a valid recipient: its checksum"],
      [a.recipient.toUpperCase(), "is not a recipient"],
      ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me", "is an SSH key"],
      ["age1yubikey1qwertz", "is a recipient of a plugin"],
      ["age1tag1qwertz", "is a recipient of a plugin"],
      ["some text", "is not a recipient"],
    ])
      expect(await refused(parseRecipients(`# x\n${line}\n`), "RECIPIENT_INVALID")).toContain(
        `In the recipients: line 2 ${message}`,
      );
    expect(await refused(parseRecipients("# none\n"), "RECIPIENT_INVALID")).toContain(
      "no recipient",
    );
  });

  test("refuses to mix post-quantum recipients with others", async () => {
    expect(
      await refused(parseRecipients(`${hybrid.recipient}\n${a.recipient}`), "RECIPIENT_INVALID"),
    ).toContain("cannot be combined");
  });

  test("is bounded", async () => {
    const many = [];
    for (let i = 0; i <= limits.ageRecipients; i += 1)
      many.push((await generateIdentity({ createdMs })).recipient);
    expect((await parseRecipients(many.slice(1).join("\n"))).list).toHaveLength(
      limits.ageRecipients,
    );
    expect(await refused(parseRecipients(many.join("\n")), "RECIPIENT_INVALID")).toContain(
      "more than 20 recipients",
    );
    expect(
      await refused(
        parseRecipients("#".repeat(limits.ageRecipientsBytes + 1)),
        "RECIPIENT_INVALID",
      ),
    ).toContain("exceeds 131072 bytes");
  });

  test("is read from a file", async () => {
    const path = join(temporaryDirectory(), "recipients.txt");
    expect(await refused(readRecipientsFile(nodeFileSystem, path), "RECIPIENT_INVALID")).toContain(
      `Cannot read the recipients file ${path}.`,
    );
    writeFileSync(path, `${a.recipient}\nx\n`);
    expect(await refused(readRecipientsFile(nodeFileSystem, path), "RECIPIENT_INVALID")).toContain(
      `In the recipients file ${path}: line 2 is not a recipient.`,
    );
    writeFileSync(path, `${a.recipient}\n`);
    expect((await readRecipientsFile(nodeFileSystem, path)).list).toEqual([a.recipient]);
    writeFileSync(path, Buffer.alloc(limits.ageRecipientsBytes + 1));
    expect(await refused(readRecipientsFile(nodeFileSystem, path), "RECIPIENT_INVALID")).toContain(
      "exceeds the limit",
    );
    expect(
      await refused(readRecipientsFile(nodeFileSystem, temporaryDirectory()), "RECIPIENT_INVALID"),
    ).toContain("regular file");
  });
});

describe("an identity file", () => {
  test("may have several identities and comments", async () => {
    const text = `${a.identityFile}\r\n# more\r\n${hybrid.identityFile}\n${keyOf(a)}\n`;
    const identities = await parseIdentities(Buffer.from(text), unasked);
    expect(await identities.recipients()).toEqual([a.recipient, hybrid.recipient]);
  });

  test("does not show its secrets when it is printed", async () => {
    const identities = Identities.join([
      await Identities.parse(a.identityFile),
      Identities.ofPassphrase("correct horse"),
    ]);
    for (const shown of [inspect(identities, { showHidden: true }), JSON.stringify(identities)]) {
      expect(shown).not.toContain("AGE-SECRET");
      expect(shown).not.toContain("horse");
    }
  });

  test("is refused by line and without its text", async () => {
    for (const [line, message] of [
      [keyOf(a).slice(0, -1), "is not a valid identity: its checksum"],
      [keyOf(a).toLowerCase(), "is not an identity"],
      [a.recipient, "is a recipient"],
      ["-----BEGIN OPENSSH PRIVATE KEY-----", "begins an SSH or PEM key"],
      ["AGE-PLUGIN-YUBIKEY-1QQQ", "is an identity of a plugin"],
      ["text", "is not an identity"],
    ])
      expect(
        await refused(parseIdentities(Buffer.from(`# x\n${line}`), unasked), "IDENTITY_INVALID"),
      ).toContain(`In the identities: line 2 ${message}`);
    expect(await refused(parseIdentities(Buffer.from(""), unasked), "IDENTITY_INVALID")).toContain(
      "no identity",
    );
  });

  test("is bounded, also when files are combined", async () => {
    const files = [];
    for (let i = 0; i <= limits.ageIdentities; i += 1)
      files.push((await generateIdentity({ createdMs })).identityFile);
    expect(
      await refused(parseIdentities(Buffer.from(files.join("")), unasked), "IDENTITY_INVALID"),
    ).toContain("more than 20 identities");
    const parts = await Promise.all(files.map((file) => Identities.parse(file)));
    expect(() => Identities.join(parts)).toThrow("More than 20 identities");
    expect(await Identities.join(parts.slice(1)).recipients()).toHaveLength(20);
    const long = Buffer.alloc(limits.secretFileBytes + 1);
    expect(await refused(parseIdentities(long, unasked), "IDENTITY_INVALID")).toContain(
      "exceeds 1048576 bytes",
    );
  });

  test("may be encrypted with a passphrase, binary or armored", async () => {
    const encryption = await createEncryption("identity", { passphrase: "correct horse" });
    const parts: Buffer[] = [];
    for await (const part of encryption.encrypt(
      (async function* () {
        yield Buffer.from(a.identityFile);
      })(),
    ))
      parts.push(part);
    const binary = Buffer.concat(parts);
    const armored = Buffer.from(
      `-----BEGIN AGE ENCRYPTED FILE-----\n${binary.toString("base64").replace(/.{1,64}/g, "$&\n")}-----END AGE ENCRYPTED FILE-----\n`,
    );
    const path = join(temporaryDirectory(), "identity.age");
    for (const file of [binary, armored]) {
      writeFileSync(path, file);
      chmodSync(path, 0o600);
      const identities = await Identities.parse(
        await readIdentityText(nodeFileSystem, path, async () => "correct horse"),
      );
      expect(await identities.recipients()).toEqual([a.recipient]);
    }
    expect(
      await refused(
        readIdentityText(nodeFileSystem, path, async () => "wrong"),
        "IDENTITY_INVALID",
      ),
    ).toBe(`Cannot decrypt the identity file ${path}: the passphrase is wrong.`);
    for (const [file, message] of [
      [binary.subarray(0, 100), "truncated"],
      [binary.subarray(0, -1), "was changed"],
      [armored.subarray(0, -10), "armor is damaged"],
    ] as const)
      expect(
        await refused(
          parseIdentities(file, async () => "correct horse"),
          "IDENTITY_INVALID",
        ),
      ).toContain(message);
  });
});
