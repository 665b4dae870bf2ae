import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { generateIdentity } from "../encryption/identities.js";
import {
  checkEncryptTo,
  runEncoding,
  type DecryptWith,
  type EncodedFile,
  type EncodingCall,
} from "./encoding-call.js";

const never = new AbortController().signal;
const plain = Buffer.concat([Buffer.from("SQLite format 3\0"), Buffer.alloc(50_000, "documents ")]);
const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

let key: { recipient: string; identityFile: string };
let otherKey: typeof key;
beforeAll(async () => {
  key = await generateIdentity({ createdMs: 0 });
  otherKey = await generateIdentity({ createdMs: 0 });
});

type EncodeCall = Extract<EncodingCall, { kind: "encode" }>;

/** Encodes the plain data in a directory of its own. */
async function encoded(how: Partial<EncodeCall>) {
  const directory = temporaryDirectory();
  const [source, target] = [join(directory, "plain"), join(directory, "stored")];
  writeFileSync(source, plain);
  const call = { kind: "encode" as const, source, target, name: "x", compression: "none" as const };
  const [result] = await runEncoding({ ...call, ...how }, never);
  if (!result) throw new Error("no result");
  const file: EncodedFile = {
    source: target,
    target: join(directory, "again"),
    name: "the-segment",
    compression: how.compression ?? "none",
    encrypted: how.encryptTo !== undefined,
    stored: result,
    maxBytes: plain.length,
  };
  const decode = (changed: Partial<EncodedFile> = {}, decryptWith?: DecryptWith) =>
    runEncoding({ kind: "decode", files: [{ ...file, ...changed }], decryptWith }, never);
  return { directory, file, result, decode };
}

const withKey = ({ identityFile }: typeof key): DecryptWith => ({
  identities: identityFile,
  passphrase: "",
});

test("compresses a file and reports size and digest of the stored bytes", async () => {
  const { file, result, decode, directory } = await encoded({ compression: "gzip" });
  const bytes = readFileSync(file.source);
  expect(result).toEqual({ sizeBytes: bytes.length, sha256: digestOf(bytes) });
  expect(gunzipSync(bytes).equals(plain)).toBe(true);
  expect(await decode()).toEqual([{ sizeBytes: plain.length, sha256: digestOf(plain) }]);
  expect(readFileSync(file.target).equals(plain)).toBe(true);
  // The source is removed, and that of the encoding is left to its owner.
  expect(readdirSync(directory).sort()).toEqual(["again", "plain"]);
});

test("compresses before it encrypts, and keeps the source if asked to", async () => {
  const encryptTo = { recipients: [key.recipient] };
  const { file, decode } = await encoded({ compression: "gzip", encryptTo });
  expect(statSync(file.source).size).toBeLessThan(plain.length / 10);
  await decode({ keepSource: true }, withKey(key));
  expect(readFileSync(file.target).equals(plain)).toBe(true);
  expect(existsSync(file.source)).toBe(true);
});

test("decrypts for each recipient, and for a passphrase beside identities", async () => {
  const both = await encoded({ encryptTo: { recipients: [key.recipient, otherKey.recipient] } });
  await both.decode({ keepSource: true }, withKey(otherKey));
  const secret = await encoded({ encryptTo: { passphrase: "correct horse" } });
  const decryptWith = { identities: key.identityFile, passphrase: "correct horse" };
  expect(await secret.decode({}, decryptWith)).toMatchObject([{ sizeBytes: plain.length }]);
});

test.each<[string, Partial<EncodedFile>, () => DecryptWith | undefined, string]>([
  [
    "another digest",
    { stored: { sizeBytes: 0, sha256: "00" } },
    () => withKey(key),
    "BACKUP_DAMAGED",
  ],
  ["a smaller result", { maxBytes: plain.length - 1 }, () => withKey(key), "BACKUP_DAMAGED"],
  ["another compression", { compression: "zstd" }, () => withKey(key), "BACKUP_DAMAGED"],
  ["no identity", {}, () => undefined, "IDENTITY_MISSING"],
  ["the identity of another recipient", {}, () => withKey(otherKey), "IDENTITY_MISSING"],
  [
    "a passphrase instead of an identity",
    {},
    () => ({ identities: "", passphrase: "p" }),
    "IDENTITY_MISSING",
  ],
  [
    "a malformed identity",
    {},
    () => ({ identities: "AGE-SECRET-KEY-1QQ", passphrase: "" }),
    "IDENTITY_INVALID",
  ],
])("fails with %s and leaves nothing but the source", async (_what, changed, keys, reason) => {
  const encryptTo = { recipients: [key.recipient] };
  const { directory, decode } = await encoded({ compression: "gzip", encryptTo });
  await expect(decode(changed, keys())).rejects.toMatchObject({ reason });
  expect(readdirSync(directory).sort()).toEqual(["plain", "stored"]);
});

test("rejects a stored file that was cut, extended or changed", async () => {
  for (const encryptTo of [undefined, { recipients: [key.recipient] }]) {
    const { directory, file, decode } = await encoded({ compression: "gzip", encryptTo });
    const bytes = readFileSync(file.source);
    for (const damaged of [
      bytes.subarray(0, bytes.length - 1),
      Buffer.concat([bytes, Buffer.alloc(1)]),
      bytes.map((byte, i) => (i === bytes.length - 9 ? byte ^ 1 : byte)),
    ]) {
      writeFileSync(file.source, damaged);
      // With the digest of the manifest, and for an archive, of which none is known.
      for (const stored of [file.stored, undefined])
        await expect(decode({ stored, keepSource: true }, withKey(key))).rejects.toMatchObject({
          reason: "BACKUP_DAMAGED",
          message: expect.stringContaining("the-segment") as string,
        });
    }
    expect(readdirSync(directory).sort()).toEqual(["plain", "stored"]);
  }
});

test.each<[string, Partial<EncodeCall>, string]>([
  ["an invalid recipient", { encryptTo: { recipients: ["age1qq"] } }, "RECIPIENT_INVALID"],
  ["no recipient", { encryptTo: { recipients: [] } }, "RECIPIENT_INVALID"],
  ["an empty passphrase", { encryptTo: { passphrase: "" } }, "RECIPIENT_INVALID"],
  ["a missing source", { source: "/nonexistent/plain" }, "INTERNAL"],
])("encodes nothing for %s", async (_what, how, reason) => {
  const directory = temporaryDirectory();
  const [source, target] = [join(directory, "plain"), join(directory, "stored")];
  writeFileSync(source, randomBytes(10));
  const call = { kind: "encode" as const, source, target, name: "x", compression: "gzip" as const };
  const error = await runEncoding({ ...call, ...how }, never).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Error);
  if (reason !== "INTERNAL") expect(error).toMatchObject({ reason });
  expect(readdirSync(directory)).toEqual(["plain"]);
});

test("normalizes recipients to what a manifest states", async () => {
  const given = [`  ${key.recipient} `, "# a comment", otherKey.recipient, key.recipient];
  expect(await checkEncryptTo({ recipients: given })).toEqual({
    recipients: [key.recipient, otherKey.recipient].sort(),
  });
  await expect(checkEncryptTo({ recipients: ["age1qq"] })).rejects.toMatchObject({
    reason: "RECIPIENT_INVALID",
  });
  await expect(checkEncryptTo({ passphrase: "" })).rejects.toMatchObject({
    reason: "RECIPIENT_INVALID",
  });
});
