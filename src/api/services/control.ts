import type { ServiceImpl } from "@connectrpc/connect";
import type { ManagementService } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { HostControl } from "../../service/host/host-control.js";
import { durableIndexLink } from "../../service/documents/factories.js";
import type { NodeOutcome } from "../../service/host/node-group.js";
import { toLink } from "./document-body.js";
import { toAutoBackup, toStat } from "../convert/control.js";
import { toInt64 } from "../convert/numbers.js";

type ControlMethods =
  | "configureAutoBackup"
  | "configureRequestLogging"
  | "configureOperationTracing"
  | "synchronizeWithPeers"
  | "getStats"
  | "getActivity"
  | "shutdown";

/** Implements the methods of ManagementService for settings and statistics of the host. */
export function controlMethods(
  control: HostControl,
): Pick<ServiceImpl<typeof ManagementService>, ControlMethods> {
  return {
    configureAutoBackup: async ({ enabled }) =>
      toAutoBackup(await control.configureAutoBackup(enabled)),
    configureRequestLogging({
      enabled,
      skipGossipRequests,
      skipSynchronizationRequests,
      skipForwardingRequests,
    }) {
      const settings = {
        enabled,
        skipGossipRequests,
        skipSynchronizationRequests,
        skipForwardingRequests,
      };
      return control.configureRequestLogging(
        Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)),
      );
    },
    configureOperationTracing: ({ enabled, level }) =>
      control.configureOperationTracing(enabled, level || undefined),
    synchronizeWithPeers: async ({ nodeSelectorPath }) => ({
      peers: (await control.synchronizeWithPeers(nodeSelectorPath)).map(toPeer),
    }),
    getStats: async () => ({ stats: (await control.stats()).map(toStat) }),
    async getActivity({ indexLink, startTimeMicros, endTimeMicros, buckets }) {
      const found = await control.activity(
        indexLink === "" ? durableIndexLink : toLink(indexLink),
        {
          ...(startTimeMicros > 0n && { startMicros: Number(startTimeMicros) }),
          ...(endTimeMicros > 0n && { endMicros: Number(endTimeMicros) }),
          ...(buckets > 0 && { buckets }),
        },
      );
      return {
        startTimeMicros: toInt64(found.startMicros),
        endTimeMicros: toInt64(found.endMicros),
        bucketMicros: toInt64(found.bucketMicros),
        buckets: found.buckets.map(({ startMicros, created, updated, deleted }) => ({
          startTimeMicros: toInt64(startMicros),
          created: toInt64(created),
          updated: toInt64(updated),
          deleted: toInt64(deleted),
        })),
      };
    },
    shutdown() {
      // Deferred, so that the response is sent first.
      setImmediate(control.shutDown);
      return {};
    },
  };
}

const toPeer = ({ positionMicros, ...same }: NodeOutcome) => ({
  ...same,
  positionMicros: toInt64(positionMicros),
});
