import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  ChunkSchema,
  StreamBackupResponseSchema,
  type Chunk,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";

/**
 * Encodes a StreamBackupResponse with a chunk. The library copies the data of a nested message twice, which costs a
 * stream a tenth of its speed; this copies it once.
 */
export function encodeChunk({ offset, data, crc32c }: Chunk): Buffer {
  const others = toBinary(
    ChunkSchema,
    create(ChunkSchema, { offset, ...(crc32c !== undefined && { crc32c }) }),
  );
  const dataHead = new BinaryWriter()
    .tag(ChunkSchema.field.data.number, WireType.LengthDelimited)
    .uint32(data.length)
    .finish();
  const head = new BinaryWriter()
    .tag(StreamBackupResponseSchema.field.chunk.number, WireType.LengthDelimited)
    .uint32(others.length + dataHead.length + data.length)
    .raw(others)
    .raw(dataHead)
    .finish();
  return Buffer.concat([head, data]);
}
