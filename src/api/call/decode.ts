import { fromBinary, type DescMessage, type Message } from "@bufbuild/protobuf";
import { HostError } from "../../errors.js";
import { checkBinaryBounds } from "../policy/message-bounds.js";

/** Rejects what is not a message of the type with REQUEST_INVALID, and what holds too much for the event loop with BODY_TOO_LARGE. */
export function decode(schema: DescMessage, bytes: Uint8Array): Message {
  checkBinaryBounds(schema, bytes);
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new HostError("REQUEST_INVALID", `The request is not a ${schema.typeName}.`, {
      cause: error,
    });
  }
}
