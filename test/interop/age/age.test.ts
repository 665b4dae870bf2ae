import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createReadStream, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Decrypter, Encrypter, armor } from "age-encryption";
import { createEncryption, type EncryptFor } from "../../../src/encryption/encryption.js";
import { generateIdentity, Identities } from "../../../src/encryption/identities.js";
import { readIdentityText } from "../../../src/encryption/identity-file.js";
import { decrypt, openAge } from "../../../src/encryption/reader.js";
import { parseRecipients } from "../../../src/encryption/recipients.js";
import { nodeFileSystem } from "../../../src/io/node-file-system.js";
import { temporaryDirectory } from "../../support/temporary-directory.js";
import { haveTools, run } from "../../support/tools.js";

const sizes = [0, 1, 65_535, 65_536, 65_537, 200_000];

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

async function* streamOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function encryptTo(path: string, to: EncryptFor, plain: Buffer): Promise<void> {
  const encryption = await createEncryption(path, to);
  writeFileSync(path, await collect(encryption.encrypt(streamOf(plain))));
}

const unasked = async (): Promise<string> => {
  throw new Error("asked for a passphrase");
};

async function succeeded(program: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(program, args);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

/** Runs a command on a terminal, and answers each prompt for a passphrase. */
async function onTerminal(command: string, passphrase: string): Promise<number> {
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdout.on("data", (data: Buffer) => {
    for (const _ of String(data).matchAll(/passphrase[^:]*: ?/gi))
      child.stdin.write(`${passphrase}\n`);
  });
  return new Promise((resolve) => child.on("close", (code) => resolve(code ?? -1)));
}

const directory = temporaryDirectory();
const path = (name: string) => join(directory, name);

(haveTools("the exchange of files with age", "age", "age-keygen") ? describe : describe.skip)(
  "age",
  () => {
    /** Two identities of age-keygen and one of ours. */
    let recipients: string[];
    const identityFiles = ["a.key", "b.key", "ours.key"].map(path);
    beforeAll(async () => {
      for (const file of identityFiles.slice(0, 2)) await succeeded("age-keygen", ["-o", file]);
      const { identityFile } = await generateIdentity({ createdMs: Date.now() });
      writeFileSync(identityFiles[2]!, identityFile);
      recipients = [];
      for (const file of identityFiles)
        recipients.push((await succeeded("age-keygen", ["-y", file])).trim());
    });

    test("age-keygen and we agree on the recipients of both kinds of identity files", async () => {
      for (const [index, file] of identityFiles.entries())
        expect(
          await (
            await Identities.parse(await readIdentityText(nodeFileSystem, file, unasked))
          ).recipients(),
        ).toEqual([recipients[index]]);
    });

    test.each(sizes)("decrypts our file for several recipients: %p bytes", async (size) => {
      const plain = randomBytes(size);
      await encryptTo(path("f.age"), await parseRecipients(recipients.join("\n")), plain);
      for (const file of identityFiles) {
        // Not -o: this age creates no file for no bytes.
        const shell = `age -d -i "${file}" "${path("f.age")}" > "${path("f")}"`;
        await succeeded("sh", ["-c", shell]);
        expect(readFileSync(path("f")).equals(plain)).toBe(true);
      }
    });

    test.each(sizes)("encrypts a file that we decrypt: %p bytes", async (size) => {
      const plain = randomBytes(size);
      writeFileSync(path("g"), plain);
      const to = recipients.flatMap((recipient) => ["-r", recipient]);
      await succeeded("age", [...to, "-o", path("g.age"), path("g")]);
      const stored = readFileSync(path("g.age"));
      for (const file of identityFiles) {
        const identities = await Identities.parse(
          await readIdentityText(nodeFileSystem, file, unasked),
        );
        const stream = createReadStream(path("g.age"));
        expect((await collect(decrypt("g.age", stream, identities))).equals(plain)).toBe(true);
        const reader = await openAge("g.age", stored.subarray(0, 2000), identities);
        expect(reader.plainSize(stored.length)).toBe(size);
        const range = { start: size >> 1, end: size, storedBytes: stored.length };
        const found = await collect(
          reader.decryptRange(range, (from, to) => streamOf(stored.subarray(from, to))),
        );
        expect(found.equals(plain.subarray(size >> 1))).toBe(true);
      }
    });

    test("refuses our file with one changed byte, and with another identity", async () => {
      const to = await parseRecipients(recipients[0]!);
      await encryptTo(path("h.age"), to, randomBytes(100_000));
      const stored = readFileSync(path("h.age"));
      stored[stored.length - 1]! ^= 1;
      writeFileSync(path("h2.age"), stored);
      const changed = await run("age", ["-d", "-i", identityFiles[0]!, path("h2.age")]);
      expect(changed.code).not.toBe(0);
      const other = await run("age", ["-d", "-i", identityFiles[1]!, path("h.age")]);
      expect(other.stderr).toContain("no identity matched");
    });

    (haveTools("passphrases of age, which it reads from a terminal", "script")
      ? describe
      : describe.skip)("with a passphrase", () => {
      const passphrase = "correct horse battery";

      test("decrypts our file", async () => {
        await encryptTo(path("p.age"), { passphrase }, Buffer.from("plain"));
        expect(await onTerminal(`age -d -o ${path("p")} ${path("p.age")}`, passphrase)).toBe(0);
        expect(readFileSync(path("p"), "utf8")).toBe("plain");
      });

      test.each(["", "-a"])(
        "encrypts a file that we decrypt, or read as an identity file (%p)",
        async (option) => {
          const file = path(`q${option}.age`);
          expect(
            await onTerminal(`age -p ${option} -o ${file} ${identityFiles[0]}`, passphrase),
          ).toBe(0);
          const identities = await Identities.parse(
            await readIdentityText(nodeFileSystem, file, async () => passphrase),
          );
          expect(await identities.recipients()).toEqual([recipients[0]]);
          if (option === "")
            expect(
              String(
                await collect(
                  decrypt("q.age", createReadStream(file), Identities.ofPassphrase(passphrase)),
                ),
              ),
            ).toBe(readFileSync(identityFiles[0]!, "utf8"));
        },
      );

      test("decrypts our file by our identity file that is encrypted", async () => {
        await encryptTo(path("id.age"), { passphrase }, readFileSync(identityFiles[2]!));
        await encryptTo(path("r.age"), await parseRecipients(recipients[2]!), Buffer.from("plain"));
        expect(
          await onTerminal(
            `age -d -i ${path("id.age")} -o ${path("r")} ${path("r.age")}`,
            passphrase,
          ),
        ).toBe(0);
        expect(readFileSync(path("r"), "utf8")).toBe("plain");
      });
    });
  },
);

describe("the age-encryption package, which also writes and reads payloads", () => {
  test.each([false, true])("post-quantum: %p", async (postQuantum) => {
    const { recipient, identityFile } = await generateIdentity({ createdMs: 0, postQuantum });
    const identities = await Identities.parse(identityFile);
    for (const size of sizes) {
      const plain = randomBytes(size);
      const encryption = await createEncryption("f.age", await parseRecipients(recipient));
      const ours = await collect(encryption.encrypt(streamOf(plain)));
      const decrypter = new Decrypter();
      decrypter.addIdentity(identityFile.split("\n")[2]!);
      expect(Buffer.compare(await decrypter.decrypt(new Uint8Array(ours)), plain)).toBe(0);

      const encrypter = new Encrypter();
      encrypter.addRecipient(recipient);
      const theirs = await encrypter.encrypt(new Uint8Array(plain));
      expect(theirs).toHaveLength(ours.length);
      const back = await collect(decrypt("f.age", streamOf(theirs), identities));
      expect(back.equals(plain)).toBe(true);
    }
  });

  test("a passphrase, and armor", async () => {
    const encrypter = new Encrypter();
    encrypter.setPassphrase("pass");
    encrypter.setScryptWorkFactor(10);
    const { identityFile, recipient } = await generateIdentity({ createdMs: 0 });
    const file = join(directory, "package.age");
    writeFileSync(file, armor.encode(await encrypter.encrypt(identityFile)));
    const identities = await Identities.parse(
      await readIdentityText(nodeFileSystem, file, async () => "pass"),
    );
    expect(await identities.recipients()).toEqual([recipient]);

    const encryption = await createEncryption("f.age", { passphrase: "pass" });
    const ours = await collect(encryption.encrypt(streamOf(Buffer.from("plain"))));
    const decrypter = new Decrypter();
    decrypter.addPassphrase("pass");
    expect(await decrypter.decrypt(new Uint8Array(ours), "text")).toBe("plain");
  });
});
