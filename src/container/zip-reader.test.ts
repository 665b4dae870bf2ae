import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { deflateRawSync } from "node:zlib";
import { makeZip } from "../../test/support/make-zip.js";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import type { OpenFile } from "../io/file-system.js";
import { nodeFileSystem } from "../io/node-file-system.js";
import { packZip } from "./pack-zip.js";
import { openZipReader } from "./zip-reader.js";

const signal = new AbortController().signal;
const manifest = { name: `manifest-0000000001-${"0".repeat(16)}.json`, bytes: Buffer.from("{}\n") };
const content = Buffer.concat([Buffer.alloc(1_500_000, "text"), randomBytes(1_500_000)]);
const segment = { name: "segment", sizeBytes: content.length };

async function open(store: boolean, wrap = (file: OpenFile) => file) {
  const path = join(temporaryDirectory(), "a.zip");
  const bytes = (async function* () {
    yield content;
  })();
  const entries = [{ name: segment.name, bytes }, manifest];
  writeFileSync(path, await buffer(packZip(entries, { store, modifiedMs: 0 })));
  const reader = await openZipReader(path, async () => wrap(await nodeFileSystem.openToRead(path)));
  return { path, reader };
}

describe.each([
  ["deflated", false],
  ["stored", true],
])("a %s entry", (_what, store) => {
  test("is read and verified", async () => {
    const { reader } = await open(store);
    const read = await buffer(reader.bytesOf(segment, signal));
    expect(read.equals(content)).toBe(true);
    const sha256 = createHash("sha256").update(content).digest("hex");
    await reader.readBack({ ...segment, sha256 }, (bytes) => bytes);
    await expect(
      reader.readBack({ ...segment, sha256: "0".repeat(64) }, (bytes) => bytes),
    ).rejects.toMatchObject({ reason: "BACKUP_DAMAGED" });
    await reader.close();
  });

  test("on a disk that fails in the middle has the error of the disk, not of a damaged backup", async () => {
    const { reader } = await open(store, (file) => ({
      ...file,
      async read(buffer, position) {
        if (position > 200_000 && position < 1_000_000)
          throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
        return file.read(buffer, position);
      },
    }));
    await expect(buffer(reader.bytesOf(segment, signal))).rejects.toMatchObject({
      reason: "DESTINATION_FAILED",
    });
    await reader.close();
  });

  test("can be read in part", async () => {
    const { reader } = await open(store);
    for await (const chunk of reader.bytesOf(segment, signal)) {
      expect(chunk.equals(content.subarray(0, chunk.length))).toBe(true);
      break;
    }
    await reader.close();
  });
});

test.each([100, 500_000])("rejects %i bytes after the end of a deflated entry", async (count) => {
  const path = join(temporaryDirectory(), "a.zip");
  const data = Buffer.concat([deflateRawSync(Buffer.from("text")), randomBytes(count)]);
  const members = [
    { name: "segment", data, claims: { method: 8 } },
    { name: manifest.name, data: manifest.bytes },
  ];
  writeFileSync(path, makeZip(members));
  const reader = await openZipReader(path, () => nodeFileSystem.openToRead(path));
  await expect(
    buffer(reader.bytesOf({ name: "segment", sizeBytes: data.length }, signal)),
  ).rejects.toMatchObject({
    reason: "BACKUP_DAMAGED",
    message: expect.stringContaining("unpacks to 4 bytes") as string,
  });
  await reader.close();
});
