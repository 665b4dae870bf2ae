import { createRegistry, type Registry } from "@bufbuild/protobuf";
import { file_google_rpc_error_details } from "../../../gen/ts/google/rpc/error_details_pb.js";
import type { BoundService } from "./bound-service.js";

/**
 * Returns the messages that may occur in an Any in the JSON of these services: their own and error
 * details.
 */
export function messageRegistry(services: readonly BoundService[]): Registry {
  return createRegistry(
    ...services.map(({ service }) => service.file),
    file_google_rpc_error_details,
  );
}
