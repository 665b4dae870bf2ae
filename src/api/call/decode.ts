import { fromBinary, type DescMessage, type Message } from "@bufbuild/protobuf";
import { HostError } from "../../errors.js";
import { checkBinaryBounds } from "../policy/message-bounds.js";

/**
 * Decodes a message. Throws REQUEST_INVALID for malformed bytes, and BODY_TOO_LARGE for a message
 * that would take too long to decode.
 */
export function decode(schema: DescMessage, bytes: Uint8Array): Message {
  checkBinaryBounds(schema, bytes);
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new HostError("REQUEST_INVALID", `Malformed request: not a valid ${schema.typeName}.`, {
      cause: error,
    });
  }
}
