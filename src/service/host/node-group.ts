import { HostError } from "../../errors.js";

/** The outcome for one host of a group. */
export interface PeerOutcome {
  id: string;
  /** The position of its log, in microseconds since 1970. */
  positionMicros: number;
  inAgreement: boolean;
}

/** The hosts that share documents. */
export interface PeerGroup {
  /** Makes the members of a node selector agree. REQUEST_INVALID for a selector that is not there. */
  synchronize(nodeSelectorPath: string): Promise<PeerOutcome[]>;
}

const selectors = [
  "/core/node-selectors/default",
  "/core/node-selectors/default-3x",
  "/core/node-selectors/sha1-hash",
  "/core/node-selectors/sha1-hash-3x",
];

/** A host alone is its own group, and agrees with itself at the position that its log has. */
export function singleHostGroup(hostId: string, positionMicros: () => Promise<number>): PeerGroup {
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
