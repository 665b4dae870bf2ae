import { createHash } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { crc32c } from "@node-rs/crc32";
import type {
  Chunk,
  StreamRestoreHeader,
  StreamRestoreRequest,
  StreamRestoreResponseSchema,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { HostError } from "../../errors.js";
import type { UploadWriter } from "../../destination/transfer/upload.js";
import { fromDecryption } from "../convert/encryption.js";
import { durableIndexLink } from "../../service/documents/factories.js";
import { withUpload, type StreamService } from "../../service/backups/streams.js";
import { toRestoreResult } from "../convert/operation.js";
import { transferName, transferResource } from "../convert/transfer.js";
import { withIdleLimit } from "./idle.js";
import { fromInt64 } from "../convert/numbers.js";

type Response = MessageInitShape<typeof StreamRestoreResponseSchema>;

const unexpected = (problem: string) =>
  new HostError(
    "REQUEST_INVALID",
    `${problem}: a restore consists of one header, chunks, and one trailer.`,
  );

/**
 * Implements StreamRestore: receives an archive and restores it. Nothing is restored without a
 * trailer; the received data of a named transfer is kept. `otherIndex` allows restoring an archive
 * of an index other than the requested one.
 */
export async function streamRestore(
  streams: StreamService,
  requests: AsyncIterable<StreamRestoreRequest>,
  { signal, otherIndex }: { signal: AbortSignal; otherIndex: boolean },
): Promise<Response> {
  const messages = withIdleLimit(requests, streams.idleMs, signal);
  const first = (await messages.next()).value;
  if (first?.message.case !== "header") throw unexpected("The first message is not a header");
  const header = first.message.value;
  const named = header.transferName !== "";
  const name = named ? transferName(header.transferName) : generatedName(streams, header);
  let received = false;
  try {
    const sizeBytes = header.sizeBytes === 0n ? undefined : fromInt64(header.sizeBytes);
    await withUpload(streams.transfers, name, sizeBytes, signal, (writer, working) =>
      receive(writer, withIdleLimit(messages, streams.idleMs, working), name, working),
    );
    received = true;
    const { operation, result } = await streams.restore(
      name,
      restoreRequest(header, otherIndex),
      signal,
    );
    return { operation, result: toRestoreResult(result), transferName: transferResource(name) };
  } finally {
    await messages.return(undefined);
    // An generatedName transfer cannot be resumed. It is kept if the client cancels during the
    // restore, which continues and needs it.
    if (!named && !(received && signal.aborted))
      await streams.transfers.delete(name).catch(() => {});
  }
}

/**
 * Derives the transfer name from the request ID, so that a repeated request uses the same transfer.
 */
function generatedName(streams: StreamService, { requestId }: StreamRestoreHeader): string {
  return requestId === ""
    ? streams.transfers.newName()
    : `request-${createHash("sha256").update(requestId).digest("hex").slice(0, 32)}`;
}

async function receive(
  writer: UploadWriter,
  messages: AsyncIterable<StreamRestoreRequest>,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  let finished = false;
  for await (const { message } of messages) {
    signal.throwIfAborted();
    if (finished) throw unexpected("Unexpected message after the trailer");
    switch (message.case) {
      case "chunk":
        await write(writer, message.value);
        break;
      case "trailer":
        await writer.finish({
          sizeBytes: fromInt64(message.value.sizeBytes),
          sha256: message.value.sha256,
        });
        finished = true;
        break;
      default:
        throw unexpected("Unexpected second header");
    }
  }
  if (finished) return;
  throw new HostError(
    "TRANSFER_INCOMPLETE",
    `The stream ended without a trailer, so nothing was restored. Resume at offset ${writer.position}.`,
    {
      metadata: { transfer: name, committedBytes: String(writer.position) },
    },
  );
}

async function write(
  writer: UploadWriter,
  { offset, data, crc32c: expected }: Chunk,
): Promise<void> {
  if (expected !== undefined && crc32c(data) !== expected) {
    throw new HostError(
      "TRANSFER_DAMAGED",
      `CRC32C mismatch in the chunk at offset ${offset}: it was damaged in transit. Resend from offset ${writer.position}.`,
      {
        metadata: { offset: String(offset), committedBytes: String(writer.position) },
      },
    );
  }
  await writer.write(fromInt64(offset), data);
}

function restoreRequest(header: StreamRestoreHeader, otherIndex: boolean) {
  return {
    indexLink: header.indexLink || durableIndexLink,
    indexNamed: otherIndex && header.indexLink !== "",
    validateOnly: header.validateOnly,
    ...(header.targetTimeMicros !== undefined && { targetTimeMicros: header.targetTimeMicros }),
    ...(header.requestId !== "" && { requestId: header.requestId }),
    ...fromDecryption(header.decryption),
    ...(header.baseSources.length > 0 && { baseSources: header.baseSources }),
  };
}
