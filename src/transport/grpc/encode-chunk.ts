import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  ChunkSchema,
  StreamBackupResponseSchema,
  type Chunk,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { withHead } from "../../io/roomy-buffer.js";

/**
 * Encodes a StreamBackupResponse with a chunk. The library copies the data of a nested message twice, which costs a
 * stream a quarter of its speed; this does not copy what was read into a roomy buffer.
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
  return withHead(head, data);
}
