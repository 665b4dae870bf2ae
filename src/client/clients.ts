import { createClient, type Client, type Transport } from "@connectrpc/connect";
import { Operations } from "../../gen/ts/google/longrunning/operations_pb.js";
import { DocumentService } from "../../gen/ts/holdfast/document/v1/document_pb.js";
import { ManagementService } from "../../gen/ts/holdfast/management/v1/management_pb.js";

/** The services of a host, wherever it is: over a connection, or in this process. */
export interface HostClients {
  management: Client<typeof ManagementService>;
  operations: Client<typeof Operations>;
  documents: Client<typeof DocumentService>;
}

export function createHostClients(transport: Transport): HostClients {
  return {
    management: createClient(ManagementService, transport),
    operations: createClient(Operations, transport),
    documents: createClient(DocumentService, transport),
  };
}
