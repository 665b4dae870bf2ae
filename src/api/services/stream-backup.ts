import type { MessageInitShape } from "@bufbuild/protobuf";
import { crc32c } from "@node-rs/crc32";
import type {
  StreamBackupRequest,
  StreamBackupResponseSchema,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { limits } from "../../limits.js";
import { durableIndexLink } from "../../service/documents/factories.js";
import type { StreamService } from "../../service/backups/streams.js";
import { fromEncryption } from "../convert/encryption.js";
import { toTransfer, transferName } from "../convert/transfer.js";
import { fromInt64, toInt64 } from "../convert/numbers.js";

type Response = MessageInitShape<typeof StreamBackupResponseSchema>;

/**
 * Implements StreamBackup: sends a header, the chunks from the requested offset on, and a trailer.
 */
export async function* streamBackup(
  streams: StreamService,
  request: StreamBackupRequest,
  signal: AbortSignal,
): AsyncGenerator<Response> {
  const held = await hold(streams, request, signal);
  try {
    const { transfer } = held;
    const offset = fromInt64(request.offset);
    const chunks = streams.read(
      held,
      { offset, chunkBytes: request.chunkBytes || limits.chunkBytes },
      signal,
    );
    yield {
      message: {
        case: "header",
        value: { transfer: toTransfer(transfer), offset: toInt64(offset) },
      },
    };
    let position = offset;
    for await (const data of chunks) {
      yield {
        message: {
          case: "chunk",
          value: { offset: toInt64(position), data, crc32c: crc32c(data) },
        },
      };
      position += data.length;
    }
    yield {
      message: {
        case: "trailer",
        value: { sizeBytes: toInt64(transfer.sizeBytes), sha256: transfer.sha256 },
      },
    };
  } finally {
    held.release();
  }
}

async function hold(streams: StreamService, request: StreamBackupRequest, signal: AbortSignal) {
  if (request.transferName !== "") return streams.hold(transferName(request.transferName));
  return streams.prepare(
    {
      indexLink: request.indexLink || durableIndexLink,
      store: request.store,
      ...(request.since !== "" && { since: request.since }),
      ...fromEncryption(request.encryption),
    },
    signal,
  );
}
