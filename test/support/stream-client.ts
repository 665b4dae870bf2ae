import { createHash } from "node:crypto";
import { crc32c } from "@node-rs/crc32";
import * as grpc from "@grpc/grpc-js";
import {
  ManagementServiceClient,
  StreamBackupRequest,
  StreamRestoreHeader,
  type StreamRestoreRequest,
  type StreamBackupHeader,
  type StreamBackupResponse,
  type StreamRestoreResponse,
  type TransferTrailer,
} from "../../clients/typescript/src/gen/holdfast/management/v1/management.js";

export interface Received {
  header?: StreamBackupHeader;
  trailer?: TransferTrailer;
  bytes: Buffer;
}

const size = { "grpc.max_receive_message_length": 20 << 20 };

export function managementClient(port: number): ManagementServiceClient {
  return new ManagementServiceClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), size);
}

/** Reads a backup and verifies offsets and checksums. Stops after the given number of chunks, if any. */
export async function receiveBackup(
  client: ManagementServiceClient,
  request: Partial<StreamBackupRequest>,
  stopAfter = Infinity,
): Promise<Received> {
  const call = client.streamBackup(StreamBackupRequest.fromPartial(request));
  const received: Received = { bytes: Buffer.alloc(0) };
  const chunks: Buffer[] = [];
  let position = -1;
  try {
    for await (const { message } of call as AsyncIterable<StreamBackupResponse>) {
      if (message?.$case === "header") {
        received.header = message.value;
        position = Number(message.value.offset);
      } else if (message?.$case === "chunk") {
        const { offset, data, crc32c: expected } = message.value;
        if (Number(offset) !== position || crc32c(data) !== expected)
          throw new Error(`bad chunk at ${offset}`);
        position += data.length;
        chunks.push(data);
        if (chunks.length >= stopAfter) break;
      } else if (message) received.trailer = message.value;
    }
  } finally {
    call.cancel();
  }
  received.bytes = Buffer.concat(chunks);
  return received;
}

export type RestoreMessage = StreamRestoreRequest["message"];

export const header = (fields: Partial<StreamRestoreHeader> = {}): RestoreMessage => ({
  $case: "header",
  value: StreamRestoreHeader.fromPartial(fields),
});
export const chunk = (
  bytes: Buffer,
  offset: number,
  length = bytes.length - offset,
  crc?: number,
): RestoreMessage => {
  const data = bytes.subarray(offset, offset + length);
  return { $case: "chunk", value: { offset: BigInt(offset), data, crc32c: crc ?? crc32c(data) } };
};
export const trailer = (bytes: Buffer): RestoreMessage => ({
  $case: "trailer",
  value: {
    sizeBytes: BigInt(bytes.length),
    sha256: createHash("sha256").update(bytes).digest("hex"),
  },
});

/** Sends messages unchanged; resolves to the response or rejects with the error of the call. With `leaveAfter`, cancels instead of ending. */
export function sendRestore(
  client: ManagementServiceClient,
  messages: (RestoreMessage | undefined)[],
  leaveAfter?: () => Promise<void>,
): Promise<StreamRestoreResponse> {
  return new Promise((resolve, reject) => {
    const call = client.streamRestore((error, response) =>
      error ? reject(error) : resolve(response),
    );
    void (async () => {
      for (const message of messages) {
        if (!call.write({ message })) await new Promise((done) => call.once("drain", done));
      }
      if (!leaveAfter) return call.end();
      await leaveAfter();
      call.cancel();
    })().catch((error: Error) => {
      call.cancel();
      reject(error);
    });
  });
}
