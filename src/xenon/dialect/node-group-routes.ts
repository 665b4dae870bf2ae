import type { IncomingMessage } from "node:http";
import { parseMembers } from "../../document/members.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { readText } from "../../transport/http/body.js";
import { sendJson } from "../../transport/http/respond.js";
import type { HttpHandler } from "../../transport/http/handler.js";
import type { DialectAccess } from "./access.js";
import { stringField } from "./request-fields.js";
import { refuseMethod, requireJsonBody, targetOf } from "./request-parts.js";

/** Path of the node selector. */
export const nodeSelectorLink = "/core/node-selectors/default";
const nodeGroupsLink = "/core/node-groups";
const nodeGroupLink = `${nodeGroupsLink}/default`;

/** Dependencies of createNodeGroupRoutes. */
export interface NodeGroupRoutes {
  hostId: string;
  startTimeMicros: number;
  access: DialectAccess;
}

/**
 * Serves Xenon's node group and node selector, with this host as the only member. Xenon's migration
 * task and scripts query them before they use a host. The address of the member is the one that the
 * client used, and thus reachable.
 */
export function createNodeGroupRoutes({
  hostId,
  startTimeMicros,
  access,
}: NodeGroupRoutes): HttpHandler {
  return async (request, response) => {
    const { path } = targetOf(request.url ?? "");
    switch (path) {
      case nodeGroupsLink:
      case `${nodeGroupsLink}/`:
        onlyGet(request);
        sendJson(
          response,
          200,
          JSON.stringify({
            documentLinks: [nodeGroupLink],
            documentCount: 1,
            ...unversioned,
            documentOwner: hostId,
          }),
        );
        return true;
      case nodeGroupLink:
        onlyGet(request);
        sendJson(response, 200, JSON.stringify(nodeGroup(request)));
        return true;
      case nodeSelectorLink:
        if (request.method !== "GET" && request.method !== "POST")
          refuseMethod(request, "GET, POST");
        access.requireRole(request, "read");
        sendJson(
          response,
          200,
          JSON.stringify(request.method === "GET" ? nodeSelector() : await owner(request)),
        );
        return true;
      default:
        return false;
    }
  };

  function onlyGet(request: IncomingMessage): void {
    if (request.method !== "GET") refuseMethod(request, "GET");
    access.requireRole(request, "read");
  }

  function node(request: IncomingMessage) {
    return {
      groupReference: `${baseOf(request)}${nodeGroupLink}`,
      status: "AVAILABLE",
      options: ["PEER"],
      id: hostId,
      membershipQuorum: 1,
      locationQuorum: 1,
      documentVersion: 0,
      documentKind: "com:vmware:xenon:services:common:NodeState",
      documentSelfLink: `${nodeGroupLink}/${hostId}`,
      documentUpdateTimeMicros: startTimeMicros,
      documentExpirationTimeMicros: 0,
    };
  }

  function nodeGroup(request: IncomingMessage) {
    return {
      // Xenon's defaults. Its client reads the request timeout from here.
      config: {
        nodeRemovalDelayMicros: 300_000_000,
        stableGroupMaintenanceIntervalCount: 5,
        peerRequestTimeoutMicros: 20_000_000,
      },
      nodes: { [hostId]: node(request) },
      lastChanges: [],
      membershipUpdateTimeMicros: startTimeMicros,
      localMembershipUpdateTimeMicros: startTimeMicros,
      documentVersion: 0,
      documentKind: "com:vmware:xenon:services:common:NodeGroupService:NodeGroupState",
      documentSelfLink: nodeGroupLink,
      documentUpdateTimeMicros: startTimeMicros,
      documentExpirationTimeMicros: 0,
      documentOwner: hostId,
    };
  }

  function nodeSelector() {
    return {
      nodeGroupLink,
      membershipQuorum: 1,
      membershipUpdateTimeMicros: startTimeMicros,
      status: "AVAILABLE",
      documentVersion: 0,
      documentKind: "com:vmware:xenon:common:NodeSelectorState",
      documentSelfLink: nodeSelectorLink,
      documentUpdateTimeMicros: startTimeMicros,
      documentExpirationTimeMicros: 0,
      documentOwner: hostId,
    };
  }

  /** Returns the owner of a link, which is always this host. */
  async function owner(request: IncomingMessage) {
    requireJsonBody(request);
    const text = await readText(request, limits.managementBodyBytes);
    if (text === "") throw new HostError("REQUEST_INVALID", "body is required");
    const members = parseMembers(text);
    if (stringField(members, "targetPath") !== undefined) {
      throw new HostError(
        "REQUEST_INVALID",
        "Forwarding is not supported: send the request to targetPath itself.",
        { metadata: { field: "targetPath" } },
      );
    }
    const key = stringField(members, "key");
    if (key === undefined)
      throw new HostError("REQUEST_INVALID", "key is required", { metadata: { field: "key" } });
    return {
      key,
      ownerNodeId: hostId,
      ownerNodeGroupReference: `${baseOf(request)}${nodeGroupLink}`,
      isLocalHostOwner: true,
      availableNodeCount: 1,
      selectedNodes: [node(request)],
      membershipUpdateTimeMicros: startTimeMicros,
    };
  }
}

const unversioned = {
  documentVersion: 0,
  documentUpdateTimeMicros: 0,
  documentExpirationTimeMicros: 0,
};

/** Returns the base URL that the client used. Xenon's client omits the port in the Host header. */
function baseOf({ socket, headers }: IncomingMessage): string {
  const scheme = "encrypted" in socket ? "https" : "http";
  const { host = "localhost" } = headers;
  return `${scheme}://${/:\d+$/.test(host) ? host : `${host}:${socket.localPort ?? 0}`}`;
}
