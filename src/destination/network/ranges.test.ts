import { limits } from "../../limits.js";
import { chunkBytes, parseContentRange, rangesOf } from "./ranges.js";

test("splits a file of any size into adjacent ranges with inclusive ends", () => {
  for (const total of [
    0,
    1,
    limits.httpChunkBytesMin,
    limits.httpChunkBytesMin + 1,
    100_000_000,
    2 ** 32 + 5,
    2 ** 41 + 1,
  ]) {
    let next = 0;
    for (const { first, last } of rangesOf(0, total)) {
      expect(first).toBe(next);
      expect(Number.isSafeInteger(last) && last >= first && last < total).toBe(true);
      next = last + 1;
      if (total > 2 ** 40 && next < total - 10 * limits.httpChunkBytesMax) break;
    }
    if (total < 2 ** 40) expect(next).toBe(total);
    expect(chunkBytes(total)).toBeGreaterThanOrEqual(512 * 1024);
    expect(chunkBytes(total)).toBeLessThanOrEqual(8 * 1024 * 1024);
  }
});

test.each([
  ["bytes 0-9/10", { first: 0, last: 9, total: 10 }],
  [
    "Bytes 4294967296-4294967299/9007199254740991",
    { first: 4294967296, last: 4294967299, total: 9007199254740991 },
  ],
  ["bytes 0-9/*", undefined],
  ["bytes */10", undefined],
  ["bytes 0-9/90071992547409920", undefined],
  ["0-9/10", undefined],
  [undefined, undefined],
])("parses the Content-Range %s", (header, range) => {
  expect(parseContentRange(header)).toEqual(range);
});
