import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { crc32 } from "node:zlib";
import { ZipArchive } from "archiver";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { nodeFileSystem } from "../io/node-file-system.js";
import { writeStream } from "../io/read-file.js";
import { limits } from "../limits.js";
import { packZip, type NewEntry } from "./pack-zip.js";
import { checkZip } from "./zip-check.js";
import { readZipDirectory } from "./zip-directory.js";

const block = limits.deflateBlockBytes;
const modifiedMs = Date.UTC(2026, 0, 2, 3, 4, 6);
const packed = (entries: NewEntry[], store: boolean) =>
  buffer(packZip(entries, { store, modifiedMs }));
const streamed = (name: string, bytes: Buffer): NewEntry => ({
  name,
  bytes: (async function* () {
    for (let at = 0; at < bytes.length; at += 300_000) yield bytes.subarray(at, at + 300_000);
  })(),
});

const large = Buffer.concat([Buffer.alloc(2 * block, "large"), randomBytes(2 * block + 1)]);
const contents: [name: string, bytes: Buffer][] = [
  ["base.sqlite", large],
  ["empty.sqlite", Buffer.alloc(0)],
  ["exact.sqlite", large.subarray(block, 2 * block)],
];
const manifest = { name: "manifest.json", bytes: Buffer.from("{}\n") };

test.each([
  ["deflated", false, 8],
  ["stored", true, 0],
])("packs %s entries with their checksums and sizes", async (_what, store, method) => {
  const pack = () =>
    packed([...contents.map(([name, bytes]) => streamed(name, bytes)), manifest], store);
  const bytes = await pack();
  const path = join(temporaryDirectory(), "a.zip");
  writeFileSync(path, bytes);
  expect(await checkZip(nodeFileSystem, path, (chunks) => chunks)).toEqual({
    sizeBytes: bytes.length,
  });
  const file = await nodeFileSystem.openToRead(path);
  const { entries } = await readZipDirectory(file, path);
  await file.close();
  expect(
    entries.map(({ name, crc, sizeBytes }) => ({ name: name.toString(), crc, sizeBytes })),
  ).toEqual(
    [...contents, [manifest.name, manifest.bytes] as const].map(([name, content]) => ({
      name,
      crc: crc32(content),
      sizeBytes: content.length,
    })),
  );
  expect(entries.map((entry) => entry.method)).toEqual(Array(4).fill(method));
  expect((await pack()).equals(bytes)).toBe(true);
});

/** The archive that archiver writes, in which every entry is one stream. */
async function fromArchiver(entries: [string, Buffer][], store: boolean): Promise<Buffer> {
  const archive = new ZipArchive(store ? { store: true } : { zlib: { level: 1 } });
  for (const [name, bytes] of entries)
    archive.append(Readable.from([bytes], { objectMode: false }), {
      name,
      date: new Date(modifiedMs),
      mode: 0o644,
    });
  archive.append(manifest.bytes, { name: manifest.name, date: new Date(modifiedMs), mode: 0o644 });
  void archive.finalize();
  return buffer(archive);
}

test.each([
  ["stored entries", true, contents],
  ["entries of at most one block", false, contents.slice(1)],
])("archives of %s are the same as those of archiver", async (_what, store, some) => {
  const ours = await packed(
    [...some.map(([name, bytes]) => streamed(name, bytes)), manifest],
    store,
  );
  expect(ours.equals(await fromArchiver(some, store))).toBe(true);
});

test("packs many entries without accumulating listeners", async () => {
  const warnings: Error[] = [];
  const warned = (warning: Error) => warnings.push(warning);
  process.on("warning", warned);
  await packed(
    Array.from({ length: 30 }, (_, i) => streamed(`segment-${i}`, Buffer.from("x"))),
    false,
  );
  await new Promise(setImmediate);
  process.off("warning", warned);
  expect(warnings).toEqual([]);
});

describe.each([
  ["deflated", false],
  ["stored", true],
])("of a %s archive", (_what, store) => {
  /** Yields blocks, optionally fails, and records whether it was started and closed. */
  function source(failAfter = Infinity) {
    const state = { started: false, closed: false };
    async function* blocks(): AsyncGenerator<Buffer> {
      state.started = true;
      try {
        for (let count = 0; ; count += 1) {
          if (count === failAfter) throw Object.assign(new Error("bad disk"), { code: "EIO" });
          yield randomBytes(block);
        }
      } finally {
        state.closed = true;
      }
    }
    return { state, bytes: blocks() };
  }

  test("a source that fails in the middle of its entry ends the archive with its error", async () => {
    const failing = source(7);
    const later = source();
    const path = join(temporaryDirectory(), "a.zip");
    const archive = packZip(
      [
        streamed("first", large),
        { name: "failing", bytes: failing.bytes },
        { name: "later", bytes: later.bytes },
        manifest,
      ],
      { store, modifiedMs },
    );
    const written = writeStream(
      nodeFileSystem,
      path,
      archive,
      Number.MAX_SAFE_INTEGER,
      new AbortController().signal,
    );
    await expect(written).rejects.toMatchObject({ message: "bad disk", code: "EIO" });
    expect(await nodeFileSystem.status(path)).toBeUndefined();
    expect(failing.state.closed).toBe(true);
    expect(later.state.started).toBe(false);
  });

  test("a consumer that stops closes the source", async () => {
    const open = source();
    for await (const chunk of packZip([{ name: "open", bytes: open.bytes }], { store, modifiedMs }))
      if (chunk.length > 100_000) break;
    while (!open.state.closed) await new Promise(setImmediate);
  });
});
