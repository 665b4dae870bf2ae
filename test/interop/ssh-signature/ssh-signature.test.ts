import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nodeFileSystem } from "../../../src/io/node-file-system.js";
import { systemPlatform } from "../../../src/io/platform.js";
import { manifestNamespace } from "../../../src/signature/signature-format.js";
import { SigningKey } from "../../../src/signature/signing-key.js";
import {
  parseTrustedSigners,
  readTrustedSignersFile,
} from "../../../src/signature/trusted-signers.js";
import { verifySignature } from "../../../src/signature/verify.js";
import { temporaryDirectory } from "../../support/temporary-directory.js";
import { haveTools, run } from "../../support/tools.js";

const directory = temporaryDirectory();
const path = (name: string) => join(directory, name);
const manifest = Buffer.from(`${JSON.stringify({ segments: ["a", "b"], text: "é" })}\n`);
const timeMs = Date.parse("2026-03-04T05:06:07Z");

function reasonOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as { reason?: string }).reason;
  }
}

(haveTools("the exchange of signatures with OpenSSH", "ssh-keygen") ? describe : describe.skip)(
  "ssh-keygen",
  () => {
    const sshKeygen = (...args: string[]) => run("ssh-keygen", args);
    async function succeeded(...args: string[]): Promise<string> {
      const { code, stdout, stderr } = await sshKeygen(...args);
      expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
      return stdout;
    }

    let ours: SigningKey;
    let theirs: SigningKey;
    beforeAll(async () => {
      ours = await SigningKey.create(systemPlatform, path("ours"), "host a");
      await succeeded("-q", "-t", "ed25519", "-N", "", "-C", "their key", "-f", path("theirs"));
      theirs = await SigningKey.load(nodeFileSystem, path("theirs"));
      writeFileSync(path("m.json"), manifest);
    });

    /** The verdict of ssh-keygen, which reads the signed bytes from its standard input. */
    function verifiedByThem(
      bytes: Buffer,
      signature: string,
      {
        signers,
        name = "host",
        namespace = manifestNamespace,
      }: { signers: string; name?: string; namespace?: string },
    ): boolean {
      writeFileSync(path("s.sig"), signature);
      writeFileSync(path("signers"), signers);
      const args = [
        "-Y",
        "verify",
        "-f",
        path("signers"),
        "-I",
        name,
        "-n",
        namespace,
        "-s",
        path("s.sig"),
        "-O",
        "verify-time=20260304050607Z",
      ];
      try {
        execFileSync("ssh-keygen", args, { input: bytes, stdio: ["pipe", "pipe", "pipe"] });
        return true;
      } catch {
        return false;
      }
    }

    function verifiedByUs(
      bytes: Buffer,
      signature: string,
      {
        signers,
        name = "host",
        namespace = manifestNamespace,
      }: { signers: string; name?: string; namespace?: string },
    ): boolean {
      const reason = reasonOf(() =>
        verifySignature(bytes, signature, {
          trusted: parseTrustedSigners(signers),
          namespace,
          principal: name,
          timeMs,
          name: "m.json",
        }),
      );
      if (reason !== undefined) expect(reason).toMatch(/^SIGN/);
      return reason === undefined;
    }

    test("reads our key, and shows its public half and fingerprint", async () => {
      expect((await succeeded("-y", "-f", path("ours"))).trim()).toBe(ours.publicLine);
      expect(await succeeded("-l", "-f", path("ours"))).toContain(ours.fingerprint);
    });

    test("makes a key that we load", async () => {
      expect(theirs.publicLine).toBe(readFileSync(path("theirs.pub"), "utf8").trim());
      expect(await succeeded("-l", "-f", path("theirs"))).toContain(theirs.fingerprint);
    });

    test.each([
      ["of another type", ["-t", "ecdsa", "-N", ""], "not a key of the type ssh-ed25519"],
      ["with a passphrase", ["-t", "ed25519", "-N", "secret"], "protected by a passphrase"],
    ])("makes a key %s that we refuse", async (name, args, message) => {
      await succeeded("-q", ...args, "-f", path(name));
      await expect(SigningKey.load(nodeFileSystem, path(name))).rejects.toMatchObject({
        reason: "SIGNING_KEY_INVALID",
        message: expect.stringContaining(message),
      });
    });

    test("makes the same signature with the same key", async () => {
      writeFileSync(path("same"), manifest);
      await succeeded("-Y", "sign", "-f", path("ours"), "-n", manifestNamespace, path("same"));
      expect(readFileSync(path("same.sig"), "utf8")).toBe(ours.sign(manifest, manifestNamespace));
    });

    test("accepts our signature, and names its signer", async () => {
      const signature = ours.sign(manifest, manifestNamespace);
      const signers = `host ${ours.publicLine}\n`;
      expect(verifiedByThem(manifest, signature, { signers })).toBe(true);
      const args = ["-n", manifestNamespace, "-s", path("s.sig")];
      const checked = execFileSync("ssh-keygen", ["-Y", "check-novalidate", ...args], {
        input: manifest,
      });
      expect(String(checked)).toContain(ours.fingerprint);
      const found = await succeeded(
        "-Y",
        "find-principals",
        "-s",
        path("s.sig"),
        "-f",
        path("signers"),
      );
      expect(found.trim()).toBe("host");
    });

    test.each(["sha256", "sha512"])("makes a signature that we accept (%s)", async (hash) => {
      const file = path(`theirs-${hash}`);
      writeFileSync(file, manifest);
      await succeeded(
        "-Y",
        "sign",
        "-f",
        path("theirs"),
        "-n",
        manifestNamespace,
        "-O",
        `hashalg=${hash}`,
        file,
      );
      writeFileSync(path("signers"), `# who\na,b namespaces="holdfast-*" ${theirs.publicLine}\n`);
      expect(
        verifySignature(manifest, readFileSync(`${file}.sig`, "utf8"), {
          trusted: await readTrustedSignersFile(nodeFileSystem, path("signers")),
          namespace: manifestNamespace,
          timeMs,
          name: "m.json",
        }),
      ).toEqual({ principal: "a,b", fingerprint: theirs.fingerprint });
    });

    test("refuses one changed byte as we do", () => {
      const signature = ours.sign(manifest, manifestNamespace);
      const signers = `host ${ours.publicLine}\n`;
      const changed = Buffer.from(manifest);
      changed[3]! ^= 1;
      const lines = signature.split("\n");
      // In the last bytes of the signature.
      lines[4] = lines[4]!.replace(/^./, (first) => (first === "A" ? "B" : "A"));
      for (const verified of [verifiedByThem, verifiedByUs]) {
        expect(verified(manifest, signature, { signers })).toBe(true);
        expect(verified(changed, signature, { signers })).toBe(false);
        expect(verified(manifest, lines.join("\n"), { signers })).toBe(false);
        expect(verified(manifest, ours.sign(manifest, "git"), { signers })).toBe(false);
        expect(verified(manifest, theirs.sign(manifest, manifestNamespace), { signers })).toBe(
          false,
        );
      }
    });

    test.each<[string, string, boolean]>([
      ["host KEY", "host", true],
      ["host KEY", "other", false],
      ["a,host KEY", "host", true],
      ['"x y,host" KEY', "x y", true],
      ["*.example.com,!bad.example.com KEY", "good.example.com", true],
      ["*.example.com,!bad.example.com KEY", "bad.example.com", false],
      ["h?st KEY", "host", true],
      ["ho* KEY", "host", true],
      ['host namespaces="holdfast-manifest" KEY', "host", true],
      ['host namespaces="git,holdfast-*" KEY', "host", true],
      ['host namespaces="git" KEY', "host", false],
      ['host valid-before="20260101Z" KEY', "host", false],
      ['host valid-before="20260401Z" KEY', "host", true],
      ['host valid-after="20260401Z" KEY', "host", false],
      ['host valid-after="20260101000000Z",valid-before="202603040507Z" KEY', "host", true],
      ['host valid-before="20260101Z" KEY\nhost KEY', "host", true],
    ])("agrees with us on the line %p for %p: %p", (line, name, expected) => {
      const signature = ours.sign(manifest, manifestNamespace);
      const signers = `${line.replaceAll("KEY", ours.publicLine)}\n`;
      expect(verifiedByThem(manifest, signature, { signers, name })).toBe(expected);
      expect(verifiedByUs(manifest, signature, { signers, name })).toBe(expected);
    });
  },
);
