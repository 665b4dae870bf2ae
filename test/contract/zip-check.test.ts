import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { makeZip } from "../support/make-zip.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { nodeFileSystem } from "../../src/io/node-file-system.js";
import { runZip } from "../../src/container/zip-call.js";
import { checkZip } from "../../src/container/zip-check.js";

const path = join(temporaryDirectory(), "any.zip");
async function check(bytes: Buffer): Promise<{ sizeBytes: number }> {
  writeFileSync(path, bytes);
  return checkZip(nodeFileSystem, path, (chunks) => chunks);
}
const text = Buffer.from("some text, some text, some text".repeat(20));
const large = randomBytes(300_000);

test.each([
  ["an empty archive", makeZip([])],
  [
    "stored entries, including an empty one",
    makeZip([
      { name: "a", data: text },
      { name: "dir/", data: Buffer.alloc(0) },
    ]),
  ],
  [
    "deflated entries",
    makeZip([
      { name: "a", data: text, deflated: true },
      { name: "b", data: large, deflated: true },
      { name: "c", data: Buffer.alloc(0), deflated: true },
    ]),
  ],
  [
    "sizes after the data, as Java writes them",
    makeZip([
      { name: "segments_1", data: large, deflated: true, described: true },
      { name: "b", data: text, described: true },
    ]),
  ],
  [
    "zip64",
    makeZip(
      [
        { name: "a", data: text, deflated: true },
        { name: "b", data: large, described: true },
      ],
      { zip64: true },
    ),
  ],
  [
    "a comment at the end",
    Buffer.concat([
      makeZip([{ name: "a", data: text }]).subarray(0, -2),
      Buffer.from([5, 0]),
      Buffer.from("hello"),
    ]),
  ],
])("accepts %s", async (_what, bytes) => {
  expect(await check(bytes)).toEqual({ sizeBytes: bytes.length });
});

test("rejects a mixture of two archives, and an archive that is cut off at any byte", async () => {
  const one = makeZip(
    [
      { name: "a", data: text, deflated: true, described: true },
      { name: "b", data: randomBytes(500) },
    ],
    { zip64: true },
  );
  const member = fc.record({ deflated: fc.boolean(), described: fc.boolean(), seed: fc.nat() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(member, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      fc.nat(10_000),
      fc.nat(10_000),
      async (members, zip64, from, to) => {
        const made = (salt: number) =>
          makeZip(
            members.map(({ deflated, described, seed }, i) => ({
              name: `n${i}`,
              data: createHash("sha256").update(`${seed} ${salt}`).digest(),
              deflated,
              described,
            })),
            { zip64 },
          );
        const [a, b] = [made(1), made(2)];
        if (a.length !== b.length) return;
        const mixed = Buffer.from(a);
        b.copy(
          mixed,
          Math.min(from, to) % a.length,
          Math.min(from, to) % a.length,
          Math.max(from, to) % a.length,
        );
        const whole = mixed.equals(a) || mixed.equals(b);
        if (whole) await check(mixed);
        else await expect(check(mixed)).rejects.toMatchObject({ reason: "BACKUP_DAMAGED" });
      },
    ),
    { numRuns: 300 },
  );
  for (let end = 4; end < one.length; end += 1)
    await expect(check(one.subarray(0, end))).rejects.toMatchObject({ reason: "BACKUP_DAMAGED" });
});

test("rejects shared bytes, encryption, an unknown method and wrong sizes", async () => {
  const refused = async (bytes: Buffer, why: RegExp) =>
    expect(check(bytes)).rejects.toMatchObject({
      reason: "BACKUP_DAMAGED",
      message: expect.stringMatching(why) as unknown,
    });
  const twice = makeZip([
    { name: "a", data: text },
    { name: "a", data: text },
  ]);
  const directory = twice.indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
  const shared = Buffer.from(twice);
  shared.writeUInt32LE(0, directory + 47 + 42);
  await refused(shared, /share bytes/);
  const patched = (at: number, central: number, value: number) => {
    const bytes = makeZip([{ name: "a", data: text, deflated: true }]);
    bytes.writeUInt16LE(value, at);
    bytes.writeUInt16LE(value, bytes.indexOf(Buffer.from([0x50, 0x4b, 1, 2])) + central);
    return bytes;
  };
  await refused(patched(6, 8, 1), /encrypted/);
  await refused(patched(8, 10, 93), /method 93/);
  await refused(patched(22, 24, 10), /more than its size/);
  await refused(patched(18, 20, 3), /cannot be unpacked/);
});

test("runs in a child process, which also verifies a SHA-256", async () => {
  const zip = makeZip([{ name: "a", data: large, deflated: true }]);
  writeFileSync(path, zip);
  const signal = new AbortController().signal;
  expect(await runZip({ kind: "check", path }, signal)).toEqual({ sizeBytes: zip.length });
  const sha256 = createHash("sha256").update(zip).digest("hex");
  expect(await runZip({ kind: "check", path, sha256 }, signal)).toEqual({ sizeBytes: zip.length });
  await expect(
    runZip({ kind: "check", path, sha256: sha256.replace(/./g, "0") }, signal),
  ).rejects.toMatchObject({ reason: "BACKUP_DAMAGED" });
});
