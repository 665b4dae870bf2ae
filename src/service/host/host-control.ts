import type { AutoBackup } from "../../backup/schedule/auto-backup.js";
import type { AutoBackupStatus } from "../../backup/model.js";
import { HostError } from "../../errors.js";
import type { PeerGroup, PeerOutcome } from "./node-group.js";
import type { RequestLogging, Requests } from "./requests.js";
import type { Stat, Stats } from "../../stats/stats.js";
import type { HostDescription } from "../backups/management-service.js";

/** What is set on a running host, and its figures. */
export interface HostControl {
  autoBackup(): AutoBackupStatus;
  /** The choice is durable when it resolves: it holds after a restart too. */
  configureAutoBackup(enabled: boolean): Promise<AutoBackupStatus>;
  requestLogging(): RequestLogging;
  /** What is not given stays as it is. */
  configureRequestLogging(logging: Partial<RequestLogging>): RequestLogging;
  operationTracing(): OperationTracing;
  /** REQUEST_INVALID for a level that java.util.logging does not have. */
  configureOperationTracing(enabled: boolean, level?: string): OperationTracing;
  synchronizeWithPeers(nodeSelectorPath: string): Promise<PeerOutcome[]>;
  stats(): Promise<Stat[]>;
  /** Begins to close the host; what is under way is finished first. */
  shutDown(): void;
}

export interface OperationTracing {
  enabled: boolean;
  /** Xenon's: ALL while requests are recorded, else OFF, unless another was asked for. */
  level: string;
}

export interface HostControlOptions {
  autoBackup: AutoBackup;
  /** Writes the choice down. */
  saveAutoBackup(enabled: boolean): Promise<void>;
  requests: Requests;
  peers: PeerGroup;
  stats: Stats;
  describeHost(): Promise<HostDescription>;
  shutDown(): void;
}

/** Xenon hands the word to java.util.logging. */
const levels = ["OFF", "SEVERE", "WARNING", "INFO", "CONFIG", "FINE", "FINER", "FINEST", "ALL"];

export function createHostControl({
  autoBackup,
  saveAutoBackup,
  requests,
  peers,
  stats,
  describeHost,
  shutDown,
}: HostControlOptions): HostControl {
  let level = "OFF";
  let configuring: Promise<unknown> = Promise.resolve();

  return {
    autoBackup: () => autoBackup.status(),
    configureAutoBackup(enabled) {
      // One after the other: what is written down last is what holds.
      const done = configuring.then(async () => {
        await saveAutoBackup(enabled);
        await autoBackup.configure(enabled);
        return autoBackup.status();
      });
      configuring = done.catch(() => {});
      return done;
    },
    requestLogging: () => requests.logging(),
    configureRequestLogging(wanted) {
      requests.configureLogging({ ...requests.logging(), ...wanted });
      return requests.logging();
    },
    operationTracing: () => ({ enabled: requests.tracing(), level }),
    configureOperationTracing(enabled, wanted = enabled ? "ALL" : "OFF") {
      if (!levels.includes(wanted)) {
        throw new HostError(
          "REQUEST_INVALID",
          `level must be one of ${levels.join(", ")}, not ${JSON.stringify(wanted.slice(0, 100))}.`,
          { metadata: { field: "level" } },
        );
      }
      level = wanted;
      requests.configureTracing(enabled && wanted !== "OFF");
      return { enabled: requests.tracing(), level };
    },
    synchronizeWithPeers: (nodeSelectorPath) => peers.synchronize(nodeSelectorPath),
    async stats() {
      const { indexes } = await describeHost();
      return [...stats.all(), ...indexes.flatMap(indexStats)];
    },
    shutDown,
  };
}

/** Gauges of an index; those of any but the durable one carry its link. */
function indexStats(index: HostDescription["indexes"][number]): Stat[] {
  const suffix = index.inMemory ? ` ${index.link}` : "";
  const gauge = (name: string, latestValue: number, unit?: string): Stat => ({
    name: `${name}${suffix}`,
    latestValue,
    accumulatedValue: 0,
    version: 1,
    lastUpdateMicros: index.window.latestMicros,
    ...(unit !== undefined && { unit }),
  });
  return [
    gauge("documentCount", index.documents),
    gauge("versionCount", index.versions),
    gauge("indexSizeBytes", index.sizeBytes, "bytes"),
    gauge("indexPositionMicros", index.positionMicros, "microseconds"),
  ];
}
