import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  TransferDirection,
  type TransferSchema,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { HostError } from "../../errors.js";
import type { Transfer } from "../../destination/transfer/transfer.js";
import { toBackup } from "./backup.js";
import { toInt64 } from "./numbers.js";

const collection = "transfers/";

/** Returns the resource name transfers/NAME. */
export function transferResource(name: string): string {
  return `${collection}${name}`;
}

/** Returns NAME of the resource transfers/NAME. Throws REQUEST_INVALID for other resource names. */
export function transferName(resource: string): string {
  if (resource.startsWith(collection) && resource.length > collection.length)
    return resource.slice(collection.length);
  throw new HostError(
    "REQUEST_INVALID",
    `Invalid transfer ${JSON.stringify(resource.slice(0, 100))}: must have the form transfers/NAME.`,
    { metadata: { field: "name" } },
  );
}

/** Converts a transfer. */
export function toTransfer(transfer: Transfer): MessageInitShape<typeof TransferSchema> {
  return {
    name: transferResource(transfer.name),
    direction:
      transfer.direction === "download" ? TransferDirection.DOWNLOAD : TransferDirection.UPLOAD,
    sizeBytes: toInt64(transfer.sizeBytes),
    committedBytes: toInt64(transfer.committedBytes),
    complete: transfer.complete,
    sha256: transfer.sha256,
    createTimeMicros: toInt64(transfer.createTimeMicros),
    expireTimeMicros: toInt64(transfer.expireTimeMicros),
    ...(transfer.backup && { backup: toBackup(transfer.backup) }),
  };
}
