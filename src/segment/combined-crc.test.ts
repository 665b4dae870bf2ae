import fc from "fast-check";
import { crc32 } from "node:zlib";
import { combinedCrc } from "./combined-crc.js";

const parts = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 });

test("is the checksum of all texts together", () => {
  fc.assert(
    fc.property(parts, (texts) => {
      const combined = combinedCrc(
        texts.map((text) => crc32(text)),
        texts.map(({ length }) => length),
      );
      expect(combined).toBe(crc32(Buffer.concat(texts)));
    }),
  );
});

test("tells a single wrong checksum, wherever it is", () => {
  fc.assert(
    fc.property(parts, fc.nat(), fc.integer({ min: 1, max: 0xffffffff }), (texts, which, flip) => {
      fc.pre(texts.length > 0);
      const crcs = texts.map((text) => crc32(text));
      const at = which % crcs.length;
      crcs[at] = ((crcs[at] ?? 0) ^ flip) >>> 0;
      const lengths = texts.map(({ length }) => length);
      expect(combinedCrc(crcs, lengths)).not.toBe(crc32(Buffer.concat(texts)));
    }),
  );
});

test("is right for long texts", () => {
  const long = Buffer.alloc(17_000_003, 7);
  const short = Buffer.from("after");
  expect(combinedCrc([crc32(long), crc32(short)], [long.length, short.length])).toBe(
    crc32(Buffer.concat([long, short])),
  );
});
