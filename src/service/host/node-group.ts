import { HostError } from "../../errors.js";

/** Result of a synchronization for one host of the group. */
export interface NodeOutcome {
  id: string;
  /** Position of its log in microseconds since 1970. */
  positionMicros: number;
  inAgreement: boolean;
}

/** Hosts that share documents. */
export interface NodeGroup {
  /**
   * Synchronizes the members of a node selector. Throws REQUEST_INVALID for an unknown selector.
   */
  synchronize(nodeSelectorPath: string): Promise<NodeOutcome[]>;
}

const selectors = [
  "/core/node-selectors/default",
  "/core/node-selectors/default-3x",
  "/core/node-selectors/sha1-hash",
  "/core/node-selectors/sha1-hash-3x",
];

/** Creates the group of a single host, which is always in agreement. */
export function singleHostGroup(hostId: string, positionMicros: () => Promise<number>): NodeGroup {
  return {
    async synchronize(nodeSelectorPath) {
      if (nodeSelectorPath === "")
        throw new HostError("REQUEST_INVALID", "nodeSelectorPath is required", {
          metadata: { field: "nodeSelectorPath" },
        });
      if (!selectors.includes(nodeSelectorPath)) {
        throw new HostError("REQUEST_INVALID", `${nodeSelectorPath} is not started on this host`, {
          metadata: { field: "nodeSelectorPath" },
        });
      }
      return [{ id: hostId, positionMicros: await positionMicros(), inAgreement: true }];
    },
  };
}
