import { randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { inflateRawSync } from "node:zlib";
import { limits } from "../limits.js";
import { deflateBlocks } from "./deflate-blocks.js";

const block = limits.deflateBlockBytes;
const text = (length: number) => Buffer.alloc(length, "some text, repeated at 31 bytes");
const mixed = (length: number) =>
  Buffer.concat([text(length >> 1), randomBytes(length - (length >> 1))]);

async function* inChunks(bytes: Buffer, chunkBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

const deflated = (chunks: AsyncIterable<Uint8Array>) => buffer(deflateBlocks(chunks));

test.each([
  ["nothing", Buffer.alloc(0)],
  ["one byte", text(1)],
  ["less than a block", text(1000)],
  ["exactly one block", text(block)],
  ["a block and one byte", text(block + 1)],
  ["incompressible data", randomBytes(2 * block + 5)],
  ["exactly the blocks in flight", text(limits.deflatingBlocks * block)],
  ["more blocks than are in flight", mixed((limits.deflatingBlocks + 3) * block + 12_345)],
])("any inflater restores %s", async (_what, bytes) => {
  const packed = await deflated(inChunks(bytes, block));
  expect(inflateRawSync(packed).equals(bytes)).toBe(true);
  expect(packed.length).toBeLessThan(bytes.length * 1.001 + 10);
});

test("a block refers to the end of the previous one", async () => {
  const random = randomBytes(20_000);
  const bytes = Buffer.concat([Buffer.alloc(block - random.length), random, random]);
  const packed = await deflated(inChunks(bytes, block));
  expect(packed.length).toBeLessThan(1.5 * random.length);
  expect(inflateRawSync(packed).equals(bytes)).toBe(true);
});

test("the result does not depend on the sizes of the chunks", async () => {
  const bytes = mixed(2 * block + 777);
  const expected = await deflated(inChunks(bytes, block));
  for (const chunkBytes of [997, block - 1, block + 1, bytes.length])
    expect((await deflated(inChunks(bytes, chunkBytes))).equals(expected)).toBe(true);
});

/** Yields blocks of text without end, and records how many it has yielded and whether it was closed. */
function endless(failAfter = Infinity) {
  const state = { blocks: 0, closed: false };
  async function* blocks(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        if (state.blocks === failAfter) throw new Error("cannot read on");
        state.blocks += 1;
        yield text(block);
      }
    } finally {
      state.closed = true;
    }
  }
  return { state, blocks: blocks() };
}

test("reads ahead by a limited number of blocks, and closes the source of an unused result", async () => {
  const { state, blocks } = endless();
  const result = deflateBlocks(blocks);
  for (let taken = 1; taken < 10; taken += 1) {
    await result.next();
    expect(state.blocks).toBe(taken + limits.deflatingBlocks);
  }
  await result.return(undefined);
  expect(state.closed).toBe(true);
});

test.each([0, 1, limits.deflatingBlocks + 2])(
  "throws the error of a source that fails after %i blocks",
  async (count) => {
    const { state, blocks } = endless(count);
    await expect(deflated(blocks)).rejects.toThrow("cannot read on");
    expect(state).toEqual({ blocks: count, closed: true });
  },
);
