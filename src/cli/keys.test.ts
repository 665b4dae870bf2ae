import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { generateIdentity } from "../encryption/identities.js";
import type { CommandContext } from "./command-context.js";
import { readDecryption, readEncryption } from "./keys.js";

const context = { abort: { signal: new AbortController().signal } } as CommandContext;
const none = { encryption: true };

let a: { recipient: string; identityFile: string };
let b: typeof a;
beforeAll(async () => {
  a = await generateIdentity({ createdMs: 0 });
  b = await generateIdentity({ createdMs: 0 });
});

function file(text: string): string {
  const path = join(temporaryDirectory(), "file");
  writeFileSync(path, text);
  return path;
}

describe("encryption of a backup", () => {
  test("is left to the host without options", async () => {
    expect(await readEncryption(context, none)).toEqual({});
  });

  test("joins recipients of the command line and of a file", async () => {
    const recipientsFile = file(`# team\n${b.recipient}\n`);
    const flags = { ...none, recipient: [a.recipient], recipientsFile, keepChain: true };
    expect(await readEncryption(context, flags)).toEqual({
      encryption: {
        recipients: [a.recipient, b.recipient],
        passphrase: "",
        keepChain: true,
        disabled: false,
      },
    });
  });

  test("reads a passphrase from a file, without the end of its line", async () => {
    for (const end of ["", "\n", "\r\n"])
      expect(
        await readEncryption(context, { ...none, passphraseFile: file(`my pass phrase ${end}`) }),
      ).toMatchObject({ encryption: { passphrase: "my pass phrase ", recipients: [] } });
  });

  test("--no-encryption and --keep-chain alone are sent to the host", async () => {
    expect(await readEncryption(context, { encryption: false })).toMatchObject({
      encryption: { disabled: true, recipients: [], passphrase: "" },
    });
    expect(await readEncryption(context, { ...none, keepChain: true })).toMatchObject({
      encryption: { disabled: false, keepChain: true, recipients: [] },
    });
  });

  test("rejects contradictory options", async () => {
    const passphraseFile = file("secret\n");
    const recipient = [a.recipient];
    for (const flags of [
      { ...none, recipient, passphraseFile },
      { encryption: false, recipient },
      { encryption: false, passphraseFile },
      { ...none, passphrase: true, passphraseFile },
      { encryption: false, keepChain: true },
    ])
      await expect(readEncryption(context, flags)).rejects.toMatchObject({
        reason: "REQUEST_INVALID",
      });
  });

  test("rejects a file that is no recipients file, and does not quote it", async () => {
    const secret = a.identityFile.split("\n")[2] ?? "";
    const error = await readEncryption(context, { ...none, recipientsFile: file(secret) }).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error).toMatchObject({ reason: "RECIPIENT_INVALID" });
    expect(error?.message).not.toContain(secret.slice(15));
  });
});

describe("keys for an encrypted backup", () => {
  test("are none without options", async () => {
    expect(await readDecryption(context, {})).toEqual({});
  });

  test("joins identity files and a passphrase", async () => {
    const identity = [file(a.identityFile), file(b.identityFile)];
    const { decryption } = await readDecryption(context, {
      identity,
      passphraseFile: file("secret\n"),
    });
    expect(decryption?.passphrase).toBe("secret");
    for (const { identityFile } of [a, b])
      expect(decryption?.identities).toContain(identityFile.split("\n")[2]);
  });

  test("rejects a missing file and a recipient in its place", async () => {
    for (const path of ["/nonexistent", file(a.recipient)])
      await expect(readDecryption(context, { identity: [path] })).rejects.toMatchObject({
        reason: "IDENTITY_INVALID",
      });
  });
});

test.each([
  ["an empty file", ""],
  ["an empty line", "\n"],
  ["several lines", "one\ntwo\n"],
  ["a huge file", "x".repeat(2 << 20)],
])("rejects a passphrase in %s", async (_what, text) => {
  const passphraseFile = file(text);
  const error = await readDecryption(context, { passphraseFile }).then(
    () => undefined,
    (thrown: Error) => thrown,
  );
  expect(error).toMatchObject({ reason: "CONFIGURATION_INVALID" });
  expect(error?.message).not.toContain("two");
});

test("a passphrase file that cannot be read, or is missing, is an error", async () => {
  const unreadable = file("secret");
  chmodSync(unreadable, 0);
  for (const passphraseFile of ["/nonexistent", ...(process.getuid?.() === 0 ? [] : [unreadable])])
    await expect(readEncryption(context, { ...none, passphraseFile })).rejects.toMatchObject({
      reason: "CONFIGURATION_INVALID",
    });
});

test("does not prompt without a terminal, also for an encrypted identity file", async () => {
  const armored = file(
    "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n",
  );
  for (const work of [
    readEncryption(context, { ...none, passphrase: true }),
    readDecryption(context, { passphrase: true }),
    readDecryption(context, { identity: [armored] }),
  ])
    await expect(work).rejects.toMatchObject({
      reason: "CONFIRMATION_NEEDED",
      message: expect.stringContaining("not a terminal") as string,
    });
});
