import { create, fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import {
  ChunkSchema,
  StreamBackupResponseSchema,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { allocateRoomy } from "../../io/roomy-buffer.js";
import { encodeChunk } from "./encode-chunk.js";

test("encodes a chunk as the library decodes it", () => {
  const chunks = fc.record({
    offset: fc.bigInt({ min: 0n, max: 2n ** 62n }),
    data: fc.uint8Array({ maxLength: 40_000 }),
    crc32c: fc.option(fc.integer({ min: 0, max: 0xffffffff }), { nil: undefined }),
  });
  fc.assert(
    fc.property(chunks, ({ offset, data, crc32c }) => {
      const chunk = create(ChunkSchema, {
        offset,
        data,
        ...(crc32c !== undefined && { crc32c }),
      });
      const roomy = allocateRoomy(data.length);
      roomy.set(data);
      const inPlace = encodeChunk({ ...chunk, data: roomy });
      expect(inPlace.equals(encodeChunk(chunk))).toBe(true);
      const { message } = fromBinary(StreamBackupResponseSchema, encodeChunk(chunk));
      expect(message).toEqual({ case: "chunk", value: chunk });
    }),
  );
});
