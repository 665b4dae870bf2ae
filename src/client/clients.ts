import { createClient, type Client, type Transport } from "@connectrpc/connect";
import { Operations } from "../../gen/ts/google/longrunning/operations_pb.js";
import { DocumentService } from "../../gen/ts/holdfast/document/v1/document_pb.js";
import { ManagementService } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { PolicyService } from "../../gen/ts/holdfast/management/v1/policy_pb.js";

/** Clients for the services of a host, whether remote or in this process. */
export interface HostClients {
  management: Client<typeof ManagementService>;
  operations: Client<typeof Operations>;
  documents: Client<typeof DocumentService>;
  policies: Client<typeof PolicyService>;
}

/** Creates the clients of a host on a transport. */
export function createHostClients(transport: Transport): HostClients {
  return {
    management: createClient(ManagementService, transport),
    operations: createClient(Operations, transport),
    documents: createClient(DocumentService, transport),
    policies: createClient(PolicyService, transport),
  };
}
