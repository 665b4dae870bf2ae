import type { ServiceImpl } from "@connectrpc/connect";
import type { ByteStream, WriteRequest } from "../../../gen/ts/google/bytestream/bytestream_pb.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { withUpload, type StreamService } from "../../service/backups/streams.js";
import { transferName, transferResource } from "../convert/transfer.js";
import { withIdleLimit } from "./idle.js";
import { fromInt64, toInt64 } from "../convert/numbers.js";

/** Implements google.bytestream.ByteStream for transfers; resource names are transfers/NAME. */
export function byteStreamImpl(streams: StreamService): ServiceImpl<typeof ByteStream> {
  const { transfers } = streams;
  return {
    async *read({ resourceName, readOffset, readLimit }, { signal }) {
      if (readOffset < 0n || readLimit < 0n)
        throw new HostError("REQUEST_INVALID", "read_offset and read_limit must not be negative.");
      const held = streams.hold(transferName(resourceName));
      try {
        // Clients may pass the largest int64 to read everything.
        const length =
          readLimit === 0n || readLimit > BigInt(held.transfer.sizeBytes)
            ? held.transfer.sizeBytes
            : fromInt64(readLimit);
        const range = {
          offset: beyond(readOffset) ? Number.MAX_SAFE_INTEGER : fromInt64(readOffset),
          length,
          chunkBytes: limits.chunkBytes,
        };
        for await (const data of streams.read(held, range, signal)) yield { data };
      } finally {
        held.release();
      }
    },
    write: (requests, { signal }) => receive(streams, requests, signal),
    queryWriteStatus({ resourceName }) {
      const { committedBytes, complete } = transfers.get(transferName(resourceName));
      return { committedSize: toInt64(committedBytes), complete };
    },
  };
}

const beyond = (offset: bigint) => offset > BigInt(Number.MAX_SAFE_INTEGER);

async function receive(
  streams: StreamService,
  requests: AsyncIterable<WriteRequest>,
  signal: AbortSignal,
) {
  const messages = withIdleLimit(requests, streams.idleMs, signal);
  try {
    const first = (await messages.next()).value;
    if (!first)
      throw new HostError(
        "REQUEST_INVALID",
        "The stream is empty: the first message must name the resource.",
      );
    const name = transferName(first.resourceName);
    return await withUpload(streams.transfers, name, undefined, signal, async (writer, working) => {
      let finished = await take(first);
      for await (const message of withIdleLimit(messages, streams.idleMs, working)) {
        working.throwIfAborted();
        if (finished)
          throw new HostError("REQUEST_INVALID", "Unexpected message after finish_write.");
        if (message.resourceName !== "" && message.resourceName !== transferResource(name)) {
          throw new HostError(
            "REQUEST_INVALID",
            "All messages of a stream must have the same resource_name.",
            {
              metadata: { field: "resource_name" },
            },
          );
        }
        finished = await take(message);
      }
      return { committedSize: toInt64(writer.position) };

      async function take({ writeOffset, data, finishWrite }: WriteRequest): Promise<boolean> {
        if (writeOffset < 0n || beyond(writeOffset))
          throw new HostError("REQUEST_INVALID", "write_offset must be between 0 and 2^53 - 1.");
        await writer.write(fromInt64(writeOffset), data);
        if (finishWrite) await writer.finish({ sizeBytes: writer.position });
        return finishWrite;
      }
    });
  } finally {
    await messages.return(undefined);
  }
}
