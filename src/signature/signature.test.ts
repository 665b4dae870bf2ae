import { generateKeyPairSync, randomBytes } from "node:crypto";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import fc from "fast-check";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { HostError } from "../errors.js";
import { nodeFileSystem } from "../io/node-file-system.js";
import { systemPlatform } from "../io/platform.js";
import { limits } from "../limits.js";
import { decodeSignature, encodeSignature, manifestNamespace } from "./signature-format.js";
import { SigningKey } from "./signing-key.js";
import { parseTrustedSigners } from "./trusted-signers.js";
import { verifySignature, type VerifyOptions } from "./verify.js";
import { encodeArmor, wireString, wireUint32 } from "./wire.js";

const root = temporaryDirectory();
const path = join(root, "signing-key");
const message = Buffer.from('{"manifest": 1}');
const timeMs = Date.parse("2026-03-04T05:06:07Z");

let key: SigningKey;
let other: SigningKey;
let signature: string;
let options: VerifyOptions;
beforeAll(async () => {
  key = await SigningKey.create(systemPlatform, path, "host a");
  other = await SigningKey.create(systemPlatform, join(root, "other"), "");
  signature = key.sign(message, manifestNamespace);
  options = {
    trusted: parseTrustedSigners(`host ${key.publicLine}`),
    namespace: manifestNamespace,
    timeMs,
    name: "m.json",
  };
});

const trustedBy = (text: string): VerifyOptions => ({
  ...options,
  trusted: parseTrustedSigners(text),
});

function refusal(work: () => unknown): HostError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(HostError);
    return error as HostError;
  }
  throw new Error("not refused");
}

async function rejection(work: Promise<unknown>): Promise<HostError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HostError);
  return error as HostError;
}

describe("a signing key", () => {
  test("is stored for its owner only and can be loaded", async () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, "latin1")).toMatch(
      /^-----BEGIN OPENSSH PRIVATE KEY-----\n([\w+/=]{1,70}\n)+-----END OPENSSH PRIVATE KEY-----\n$/,
    );
    expect(readdirSync(root).sort()).toEqual(["other", "signing-key"]);
    const loaded = await SigningKey.load(nodeFileSystem, path);
    expect(loaded.publicLine).toBe(key.publicLine);
    expect(loaded.publicLine).toMatch(/^ssh-ed25519 AAAA[\w+/]+ host a$/);
    expect(loaded.fingerprint).toMatch(/^SHA256:[\w+/]{43}$/);
    // Ed25519 is deterministic.
    expect(loaded.sign(message, manifestNamespace)).toBe(signature);
    expect(other.publicLine).toMatch(/^ssh-ed25519 \S+$/);
  });

  test("any length of its comment can be loaded", async () => {
    const directory = mkdtempSync(join(root, "comments-"));
    for (let length = 0; length < 9; length += 1) {
      const file = join(directory, String(length));
      const made = await SigningKey.create(systemPlatform, file, "c".repeat(length));
      expect((await SigningKey.load(nodeFileSystem, file)).publicLine).toBe(made.publicLine);
    }
  });

  test("is never replaced", async () => {
    const before = readFileSync(path);
    expect(await rejection(SigningKey.create(systemPlatform, path, ""))).toMatchObject({
      reason: "SIGNING_KEY_INVALID",
      message: expect.stringContaining("exists already"),
    });
    expect(readFileSync(path)).toEqual(before);
  });

  test("refuses a comment that does not fit into a line", async () => {
    for (const comment of ["a\nb", "a\u0000", "c".repeat(201)])
      expect(
        (await rejection(SigningKey.create(systemPlatform, join(root, "new"), comment))).reason,
      ).toBe("SIGNING_KEY_INVALID");
  });

  test("does not show its private half when it is printed", () => {
    const seed = readFileSync(path, "latin1").split("\n")[3]!;
    for (const shown of [inspect(key, { showHidden: true, depth: 9 }), JSON.stringify(key)])
      expect(shown).not.toContain(seed.slice(0, 20));
    expect(Object.keys(key).sort()).toEqual(["fingerprint", "publicLine"]);
  });

  const file = (name: string, content: string | Buffer, mode = 0o600) => {
    const created = join(root, name);
    writeFileSync(created, content);
    chmodSync(created, mode);
    return created;
  };

  test("is refused with a clear reason", async () => {
    const directory = mkdtempSync(join(root, "invalid-"));
    const bytes = readFileSync(path);
    const body = Buffer.from(bytes.toString("latin1").replace(/-----.*-----|\n/g, ""), "base64");
    const pem = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" });
    const armored = (content: Buffer) => encodeArmor("OPENSSH PRIVATE KEY", content);
    const seedAt = body.lastIndexOf(wireUint32(64)) + 4;
    const changedSeed = Buffer.from(body);
    changedSeed[seedAt]! ^= 1;
    const cases: [string, string, RegExp][] = [
      ["missing", join(directory, "missing"), /Cannot read the signing key/],
      ["a directory", directory, /other users|regular file/],
      ["accessible", file("wide", bytes, 0o640), /other users can access it \(mode 0640\)/],
      ["another format", file("pem", pem), /not a private key in the format of OpenSSH/],
      ["truncated", file("half", bytes.subarray(0, 200)), /or is damaged/],
      ["truncated inside", file("inside", armored(body.subarray(0, -40))), /it is damaged/],
      ["too large", file("large", Buffer.alloc(limits.signingKeyBytes + 1)), /exceeds the limit/],
      ["changed", file("changed", armored(changedSeed)), /halves do not belong together/],
      [
        "with a passphrase",
        file(
          "locked",
          armored(
            Buffer.concat([
              Buffer.from("openssh-key-v1\0"),
              wireString("aes256-ctr"),
              wireString("bcrypt"),
            ]),
          ),
        ),
        /protected by a passphrase/,
      ],
      [
        "of another type",
        file(
          "rsa",
          armored(
            Buffer.concat([
              Buffer.from("openssh-key-v1\0"),
              ...["none", "none", ""].map(wireString),
              wireUint32(1),
              wireString(wireString("ssh-rsa")),
            ]),
          ),
        ),
        /not a key of the type ssh-ed25519/,
      ],
    ];
    for (const [what, from, wanted] of cases) {
      const error = await rejection(SigningKey.load(nodeFileSystem, from));
      expect([what, error.reason]).toEqual([what, "SIGNING_KEY_INVALID"]);
      expect(error.message).toMatch(wanted);
    }
  });

  test("any changed file is a HostError or the same key", async () => {
    const bytes = readFileSync(path);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), async (position, value) => {
        const copy = Buffer.from(bytes);
        copy[position] = value;
        const found = await SigningKey.load(nodeFileSystem, file("any", copy)).catch(
          (error: unknown) => error,
        );
        if (found instanceof SigningKey) expect(found.fingerprint).toBe(key.fingerprint);
        else expect((found as HostError).reason).toBe("SIGNING_KEY_INVALID");
      }),
    );
  });
});

describe("a signature", () => {
  test("is verified", () => {
    expect(verifySignature(message, signature, options)).toEqual({
      principal: "host",
      fingerprint: key.fingerprint,
    });
    expect(verifySignature(message, signature.replaceAll("\n", "\r\n"), options).principal).toBe(
      "host",
    );
    expect(verifySignature(message, signature, { ...options, principal: "host" }).principal).toBe(
      "host",
    );
  });

  test("is missing", () => {
    expect(refusal(() => verifySignature(message, undefined, options))).toMatchObject({
      reason: "SIGNATURE_MISSING",
      message: "m.json has no signature, but a trusted one is required.",
    });
  });

  test("of other bytes or for another purpose is invalid", () => {
    expect(refusal(() => verifySignature(Buffer.from("x"), signature, options))).toMatchObject({
      reason: "SIGNATURE_INVALID",
      message:
        "The signature of m.json is invalid: it does not match the file. One of them was changed.",
    });
    expect(
      refusal(() => verifySignature(message, key.sign(message, "git"), options)),
    ).toMatchObject({
      reason: "SIGNATURE_INVALID",
      message:
        "The signature of m.json is invalid: it was made for another purpose than holdfast-manifest.",
    });
  });

  test("of an unknown key is not trusted", () => {
    expect(
      refusal(() => verifySignature(message, other.sign(message, manifestNamespace), options)),
    ).toMatchObject({
      reason: "SIGNER_NOT_TRUSTED",
      message: `m.json is signed by ${other.fingerprint}, which is not among the trusted signers. If this signer is expected, correct the trusted signers.`,
      metadata: { fingerprint: other.fingerprint },
    });
  });

  test("of a key of another type is not trusted", () => {
    const text = encodeSignature({
      publicKey: Buffer.concat(["ssh-rsa", "e", "n"].map(wireString)),
      namespace: manifestNamespace,
      hash: "sha512",
      signature: Buffer.concat(["rsa-sha2-512", "s"].map(wireString)),
    });
    expect(refusal(() => verifySignature(message, text, options))).toMatchObject({
      reason: "SIGNER_NOT_TRUSTED",
      message: expect.stringContaining("unsupported type"),
    });
  });

  test("with any changed or added character is invalid or means the same", () => {
    const parsed = decodeSignature(signature, "m.json");
    fc.assert(
      fc.property(
        fc.nat(signature.length),
        fc.nat(1),
        fc.string({ unit: "binary", maxLength: 2 }),
        (position, removed, added) => {
          const text = signature.slice(0, position) + added + signature.slice(position + removed);
          try {
            verifySignature(message, text, options);
            expect(decodeSignature(text, "m.json")).toEqual(parsed);
          } catch (error) {
            expect(error).toBeInstanceOf(HostError);
            expect(["SIGNATURE_INVALID", "SIGNER_NOT_TRUSTED"]).toContain(
              (error as HostError).reason,
            );
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("with any binary content is refused", () => {
    const magic = Buffer.concat([Buffer.from("SSHSIG"), wireUint32(1)]);
    const field = fc.oneof(
      fc.uint8Array({ maxLength: 80 }).map((bytes) => wireString(bytes)),
      fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom("ssh-ed25519", manifestNamespace, "sha512", "")
        .map((text) => wireString(text)),
      fc.constant(
        wireString(Buffer.concat([wireString("ssh-ed25519"), wireString(Buffer.alloc(32))])),
      ),
    );
    fc.assert(
      fc.property(fc.array(field, { maxLength: 8 }), (fields) => {
        const text = encodeArmor("SSH SIGNATURE", Buffer.concat([magic, ...fields]));
        expect(["SIGNATURE_INVALID", "SIGNER_NOT_TRUSTED"]).toContain(
          refusal(() => verifySignature(message, text, options)).reason,
        );
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    "",
    "x",
    "-----BEGIN SSH SIGNATURE-----",
    "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
    "A".repeat(1e6),
  ])("is refused: %#", (text) => {
    expect(refusal(() => verifySignature(message, text, options)).reason).toBe("SIGNATURE_INVALID");
  });

  test("by bytes of a wrong length is invalid", () => {
    const parsed = decodeSignature(signature, "m.json");
    for (const length of [0, 1, 63, 65, 1000])
      expect(
        refusal(() =>
          verifySignature(
            message,
            encodeSignature({
              ...parsed,
              signature: Buffer.concat([
                wireString("ssh-ed25519"),
                wireString(randomBytes(length)),
              ]),
            }),
            options,
          ),
        ).reason,
      ).toBe("SIGNATURE_INVALID");
  });
});

describe("trusted signers", () => {
  const verified = (text: string, more: Partial<VerifyOptions> = {}) =>
    verifySignature(message, signature, { ...trustedBy(text), ...more }).principal;
  const refused = (text: string, more: Partial<VerifyOptions> = {}) =>
    refusal(() => verified(text, more)).message;
  let line: string;
  beforeAll(() => {
    line = key.publicLine;
  });

  test("may have comments, empty lines, several names and several lines", () => {
    expect(verified(`# ours\r\n\r\n\thost ${line}\r\n`)).toBe("host");
    expect(verified(`host ${other.publicLine}\na,b ${line} and more words`)).toBe("a,b");
    expect(verified(`"a b,c" ${line}`)).toBe("a b,c");
    expect(verified(`x ${line}\ny ${line}`, { principal: "y" })).toBe("y");
  });

  test("are names by patterns with exclusions", () => {
    const list = `*.example.com,!bad.example.com,host-? ${line}`;
    for (const principal of ["a.example.com", ".example.com", "host-1"])
      expect(verified(list, { principal })).toBe(principal);
    for (const principal of [
      "bad.example.com",
      "example.com",
      "host-12",
      "host-",
      "",
      "x".repeat(257),
    ])
      expect(refused(list, { principal })).toContain("which is not trusted for the requested name");
    expect(refused(`!x ${line}`, { principal: "y" })).toContain("requested name");
    // A search by backtracking over every * would not end.
    const stars = `${"*a".repeat(300)} ${line}`;
    expect(refused(stars, { principal: "a".repeat(256) })).toContain("requested name");
    expect(verified(`${"*a".repeat(100)}* ${line}`, { principal: "ba".repeat(120) })).toMatch(
      /^ba/,
    );
  });

  test("may be limited to namespaces", () => {
    expect(verified(`host namespaces="git,holdfast-*" ${line}`)).toBe("host");
    expect(verified(`host NAMESPACES="*" ${line}`)).toBe("host");
    expect(refused(`host namespaces="git" ${line}`)).toContain(
      "which is not trusted for the purpose holdfast-manifest",
    );
  });

  test("may be limited in time", () => {
    const at = (text: string) => ({ timeMs: Date.parse(text) });
    const list = `host valid-after="20260101Z",valid-before="20260201120000Z" ${line}`;
    for (const time of ["2026-01-01T00:00:00Z", "2026-02-01T12:00:00Z"])
      expect(verified(list, at(time))).toBe("host");
    expect(refused(list, at("2025-12-31T23:59:59Z"))).toContain(
      "which is trusted only after 2026-01-01T00:00:00Z",
    );
    expect(refused(list, at("2026-02-01T12:00:01Z"))).toContain(
      "which was trusted only until 2026-02-01T12:00:00Z",
    );
    // Local time, without Z.
    const [signer] = parseTrustedSigners(`host valid-after="202601021530" ${line}`);
    expect(signer?.validAfterMs).toBe(new Date(2026, 0, 2, 15, 30).getTime());
    // Another line may still be valid.
    expect(verified(`${list}\nhost ${line}`, at("2030-01-01T00:00:00Z"))).toBe("host");
  });

  test.each<[string, RegExp]>([
    ["host", /line 1 has no key/],
    ["LINE", /line 1 begins with a key\. Put a name before it/],
    ["host KEY", /line 1 has an unknown option or type of key/],
    ['host namespaces="a" KEY', /line 1 has no key where one is expected/],
    ["host ssh-ed25519", /line 1 has a malformed key/],
    ["host ssh-ed25519 AAAA", /line 1 has a malformed key/],
    ["host ssh-ed25519 !!!!", /line 1 has a malformed key/],
    ["host ssh-rsa AAAA", /unsupported type. Use ssh-ed25519/],
    ["host sk-ssh-ed25519@openssh.com AAAA", /unsupported type/],
    ["host ecdsa-sha2-nistp256 AAAA", /unsupported type/],
    ["a,,b LINE", /has an empty name/],
    [",a LINE", /has an empty name/],
    ['"a LINE', /quote that is not closed/],
    ["host cert-authority LINE", /certificate authority, which is not supported/],
    ['host namespaces="git",cert-authority LINE', /certificate authority/],
    ["host no-touch-required LINE", /unknown option/],
    ['host principals="x" LINE', /unknown option/],
    ["host namespaces=git LINE", /malformed options/],
    ["host namespaces LINE", /no value for namespaces/],
    ['host namespaces="" LINE', /no value for namespaces/],
    ['host namespaces="a",namespaces="b" LINE', /has namespaces twice/],
    ['host namespaces="a", LINE', /comma after its last option/],
    ['host namespaces="a LINE', /malformed options|no key/],
    ['host valid-after="2026" LINE', /invalid time for valid-after/],
    ['host valid-after="20260230" LINE', /invalid time for valid-after/],
    ['host valid-after="20260101T" LINE', /invalid time for valid-after/],
    ['host valid-before="20261301" LINE', /invalid time for valid-before/],
    ['host valid-after="20260102Z",valid-before="20260101Z" LINE', /never valid/],
    ["# nothing", /no signer/],
    ["x".repeat(9000), /has more than 8192 characters/],
    ["#".repeat(300_000), /exceeds 262144 bytes/],
  ])("are refused: %p", (text, wanted) => {
    const error = refusal(() => parseTrustedSigners(text.replace("LINE", line), "t"));
    expect(error.reason).toBe("TRUSTED_SIGNERS_INVALID");
    expect(error.message).toMatch(/^In t: /);
    expect(error.message).toMatch(wanted);
  });

  test("any text is parsed or refused", () => {
    const word = fc.oneof(
      fc.constantFrom(
        " ",
        ",",
        '"',
        "=",
        "\\",
        "!",
        "*",
        "ssh-ed25519",
        "namespaces=",
        "valid-after=",
        "cert-authority",
        "20260101",
      ),
      fc.string(),
      fc.constant("").map(() => line),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (words) => {
        try {
          parseTrustedSigners(words.join(""));
        } catch (error) {
          expect(error).toBeInstanceOf(HostError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
