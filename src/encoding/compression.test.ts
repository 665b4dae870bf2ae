import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, gunzipSync } from "node:zlib";
import fc from "fast-check";
import type { Compression } from "../segment/format.js";
import { haveTools } from "../../test/support/tools.js";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { canWriteZstd, compress, decompress } from "./compression.js";

async function* chunksOf(bytes: Uint8Array, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of chunks) parts.push(part);
  return Buffer.concat(parts);
}

const unpack = (kind: Compression, bytes: Uint8Array, maxBytes = 1 << 30, chunkBytes?: number) =>
  collect(decompress(kind, chunksOf(bytes, chunkBytes), { maxBytes, name: "file" }));

const damaged = expect.objectContaining({ reason: "BACKUP_DAMAGED" }) as Error;

/** Documents as a log has them: compressible, but not alike. */
function logLike(sizeBytes: number): Buffer {
  const lines: string[] = [];
  for (let i = 0, bytes = 0; bytes < sizeBytes; i += 1) {
    const line = `/things/d${i}|${i}|{"counter":${(i * 7919) % 1000003},"name":"n${i % 97}"}\n`;
    lines.push(line);
    bytes += line.length;
  }
  return Buffer.from(lines.join("")).subarray(0, sizeBytes);
}

/** "holdfast" eight times, by the zstd command at level 3. */
const smallZstd = Buffer.from("KLUv/SRAdQAAQGhvbGRmYXN0AQDdWbgOqjyG", "base64");

describe("gzip", () => {
  test.each([
    ["no data", Buffer.alloc(0)],
    ["one byte", Buffer.from("x")],
    ["3 MiB of documents", logLike(3 << 20)],
    ["random data", randomBytes(200_000)],
  ])("restores %s, as gunzip does", async (_what, data) => {
    const packed = await collect(compress("gzip", chunksOf(data)));
    expect(gunzipSync(packed).equals(data)).toBe(true);
    expect((await unpack("gzip", packed)).equals(data)).toBe(true);
  });

  test("restores data in chunks of any size", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 5000 }),
        fc.integer({ min: 1, max: 700 }),
        fc.integer({ min: 1, max: 300 }),
        async (data, writeBytes, readBytes) => {
          const packed = await collect(compress("gzip", chunksOf(data, writeBytes)));
          const restored = await unpack("gzip", packed, data.length, readBytes);
          expect(restored.equals(data)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  const packed = gzipSync(logLike(100_000));
  test.each([
    ["truncated data", packed.subarray(0, packed.length - 1)],
    ["no data at all", Buffer.alloc(0)],
    ["zeros after its end", Buffer.concat([packed, Buffer.alloc(20)])],
    ["text after its end", Buffer.concat([packed, Buffer.from("text after the end")])],
    ["one byte after its end", Buffer.concat([packed, Buffer.from("x")])],
    ["a changed byte", packed.map((byte, i) => (i === 500 ? byte ^ 1 : byte))],
    ["other data", Buffer.from("SQLite format 3")],
  ])("rejects %s", async (_what, bytes) => {
    await expect(unpack("gzip", bytes)).rejects.toThrow(damaged);
    await expect(unpack("gzip", bytes, 1 << 30, 1)).rejects.toThrow(damaged);
  });

  test("stops at the greatest size", async () => {
    const bomb = gzipSync(Buffer.alloc(64 << 20));
    let bytes = 0;
    const read = async () => {
      const limit = { maxBytes: 1_000_000, name: "file" };
      for await (const chunk of decompress("gzip", chunksOf(bomb), limit)) bytes += chunk.length;
    };
    await expect(read()).rejects.toThrow("unpacks to more than 1000000 bytes");
    expect(bytes).toBeLessThanOrEqual(1_000_000);
  });
});

describe("zstd", () => {
  test("restores a file of the zstd command", async () => {
    const text = "holdfast".repeat(8);
    for (const chunkBytes of [1, 5, 6, 7, 64])
      expect(String(await unpack("zstd", smallZstd, 64, chunkBytes))).toBe(text);
  });

  test.each([
    ["a truncated block", smallZstd.subarray(0, smallZstd.length - 6)],
    ["a truncated checksum", smallZstd.subarray(0, smallZstd.length - 1)],
    ["a header only", smallZstd.subarray(0, 6)],
    ["no data at all", Buffer.alloc(0)],
    ["one byte after its end", Buffer.concat([smallZstd, Buffer.alloc(1)])],
    ["a second frame", Buffer.concat([smallZstd, smallZstd])],
    [
      "a second frame with a huge window",
      Buffer.concat([smallZstd, Buffer.from("28b52ffd00a0010000", "hex")]),
    ],
    ["a huge single segment", Buffer.from("28b52ffda0ffffff7f010000", "hex")],
    ["a window between two powers of two", Buffer.from("28b52ffd0069010000", "hex")],
    ["a dictionary", Buffer.from("28b52ffd2101000000010000", "hex")],
    ["a repeated byte beyond the size of a block", Buffer.from("28b52ffd0058fbffff00", "hex")],
    ["gzip data", gzipSync("text")],
  ])("rejects %s", async (_what, bytes) => {
    await expect(unpack("zstd", bytes)).rejects.toThrow(damaged);
    await expect(unpack("zstd", bytes, 1 << 30, 1)).rejects.toThrow(damaged);
  });

  test("bounds memory and output of repeated bytes", async () => {
    // Each block of 4 bytes stands for 128 KiB, 4 GiB in all.
    const block = Buffer.from([0x02, 0x00, 0x10, 0x00]);
    const bomb = Buffer.concat([
      Buffer.from("28b52ffd0058", "hex"),
      ...Array.from({ length: 32 * 1024 }, () => block),
    ]);
    let bytes = 0;
    let largest = 0;
    const before = process.memoryUsage().arrayBuffers;
    const read = async () => {
      const limit = { maxBytes: 400 << 20, name: "file" };
      for await (const chunk of decompress("zstd", chunksOf(bomb), limit)) {
        bytes += chunk.length;
        largest = Math.max(largest, process.memoryUsage().arrayBuffers - before);
      }
    };
    await expect(read()).rejects.toThrow("unpacks to more than");
    expect(bytes).toBeLessThanOrEqual(400 << 20);
    expect(largest).toBeLessThan(200 << 20);
  });

  const canCompress = canWriteZstd ? test : test.skip;
  canCompress("restores what it wrote", async () => {
    for (const data of [Buffer.alloc(0), Buffer.from("x"), logLike(12 << 20)])
      expect(
        (await unpack("zstd", await collect(compress("zstd", chunksOf(data))))).equals(data),
      ).toBe(true);
  });

  (canWriteZstd ? test.skip : test)("cannot be written by this Node", () => {
    expect(() => compress("zstd", chunksOf(Buffer.from("x")))).toThrow(
      expect.objectContaining({ reason: "NOT_SUPPORTED" }) as Error,
    );
  });
});

(haveTools("files of the zstd command", "zstd") ? describe : describe.skip)(
  "files of the zstd command",
  () => {
    function zstd(data: Buffer, ...flags: string[]): Buffer {
      const path = join(temporaryDirectory(), "data");
      writeFileSync(path, data);
      execFileSync("zstd", ["-q", ...flags, path, "-o", `${path}.zst`]);
      return readFileSync(`${path}.zst`);
    }

    const big = Buffer.concat([logLike(1 << 20), randomBytes(7 << 20), logLike(1 << 20)]);
    test.each([
      ["level 1", big, ["-1"]],
      ["level 3", big, ["-3"]],
      ["level 19, which has a window of 8 MiB", big, ["-19"]],
      ["level 3 without a checksum", big, ["-3", "--no-check"]],
      ["no data", Buffer.alloc(0), ["-3"]],
      ["one byte", Buffer.from("x"), ["-19"]],
      ["zeros", Buffer.alloc(5 << 20), ["-3"]],
      ["random data", randomBytes(300_000), ["-1"]],
    ])("restores %s", async (_what, data, flags) => {
      const packed = zstd(data, ...flags);
      expect((await unpack("zstd", packed, data.length)).equals(data)).toBe(true);
      if (data.length === 0) return;
      await expect(unpack("zstd", packed, data.length - 1)).rejects.toThrow(damaged);
      await expect(unpack("zstd", packed.subarray(0, packed.length - 5))).rejects.toThrow(damaged);
    });

    test("restores data in chunks of any size", async () => {
      const data = logLike(400_000);
      const packed = zstd(data, "-3");
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 5000 }), async (chunkBytes) => {
          expect((await unpack("zstd", packed, data.length, chunkBytes)).equals(data)).toBe(true);
        }),
        { numRuns: 25 },
      );
    });

    test("rejects a window of 128 MiB", async () => {
      const long = zstd(Buffer.concat([big, big]), "--long=27");
      await expect(unpack("zstd", long)).rejects.toMatchObject({
        reason: "BACKUP_DAMAGED",
        message: expect.stringMatching(/window of \d+ bytes exceeds the limit/) as string,
      });
    });
  },
);
