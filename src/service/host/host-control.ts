import type { AutoBackup } from "../../backup/schedule/auto-backup.js";
import type { AutoBackupStatus } from "../../backup/schedule/status.js";
import { HostError } from "../../errors.js";
import type { NodeGroup, NodeOutcome } from "./node-group.js";
import type { RequestLogging, Requests } from "./requests.js";
import type { Stat, Stats } from "../../stats/stats.js";
import type { Activity, ActivityQuery } from "../../engine/activity.js";
import { limits } from "../../limits.js";
import type { DocumentIndex } from "../../store/document-index.js";
import type { HostDescription } from "./description.js";

/** Settings and statistics of a running host. */
export interface HostControl {
  /** Returns the status of automatic backups. */
  autoBackup(): AutoBackupStatus;
  /** Enables or disables automatic backups. The setting is durable when this resolves. */
  configureAutoBackup(enabled: boolean): Promise<AutoBackupStatus>;
  /** Returns the settings of request logging. */
  requestLogging(): RequestLogging;
  /** Changes the given settings of request logging. */
  configureRequestLogging(logging: Partial<RequestLogging>): RequestLogging;
  /** Returns the settings of operation tracing. */
  operationTracing(): OperationTracing;
  /**
   * Enables or disables operation tracing. Throws REQUEST_INVALID for a level unknown to
   * java.util.logging.
   */
  configureOperationTracing(enabled: boolean, level?: string): OperationTracing;
  /** Synchronizes the members of the node group. Throws REQUEST_INVALID for an unknown selector. */
  synchronizeWithPeers(nodeSelectorPath: string): Promise<NodeOutcome[]>;
  /** Returns all statistics. */
  stats(): Promise<Stat[]>;
  /**
   * Counts the versions of an index over time. Throws INDEX_NOT_FOUND, and REQUEST_INVALID for an
   * end before the start.
   */
  activity(indexLink: string, query: Partial<ActivityQuery>): Promise<Activity>;
  /** Starts to shut down the host; running work is finished first. */
  shutDown(): void;
}

/** Settings of operation tracing. */
export interface OperationTracing {
  enabled: boolean;
  /** Xenon's log level: the configured one, else ALL while enabled and OFF otherwise. */
  level: string;
}

/** Dependencies of createHostControl. */
export interface HostControlOptions {
  autoBackup: Pick<AutoBackup, "status" | "configure">;
  /** Persists the setting. */
  saveAutoBackup(enabled: boolean): Promise<void>;
  requests: Requests;
  nodeGroup: NodeGroup;
  stats: Stats;
  /** Throws INDEX_NOT_FOUND. */
  indexOf(link: string): Pick<DocumentIndex, "withEngine">;
  nowMicros(): number;
  describeHost(): Promise<HostDescription>;
  shutDown(): void;
}

/** Levels of java.util.logging, which Xenon uses. */
const levels = ["OFF", "SEVERE", "WARNING", "INFO", "CONFIG", "FINE", "FINER", "FINEST", "ALL"];

/** Creates the control of a host. */
export function createHostControl({
  autoBackup,
  saveAutoBackup,
  requests,
  nodeGroup,
  stats,
  indexOf,
  nowMicros,
  describeHost,
  shutDown,
}: HostControlOptions): HostControl {
  let level = "OFF";
  let configuring: Promise<unknown> = Promise.resolve();

  return {
    autoBackup: () => autoBackup.status(),
    configureAutoBackup(enabled) {
      // Serialized, so that the persisted setting is the effective one.
      const done = configuring.then(async () => {
        await saveAutoBackup(enabled);
        await autoBackup.configure(enabled);
        return autoBackup.status();
      });
      configuring = done.catch(() => {});
      return done;
    },
    requestLogging: () => requests.logging(),
    configureRequestLogging(requested) {
      requests.configureLogging({ ...requests.logging(), ...requested });
      return requests.logging();
    },
    operationTracing: () => ({ enabled: requests.tracing(), level }),
    configureOperationTracing(enabled, requested = enabled ? "ALL" : "OFF") {
      if (!levels.includes(requested)) {
        throw new HostError(
          "REQUEST_INVALID",
          `level must be one of ${levels.join(", ")}, not ${JSON.stringify(requested.slice(0, 100))}.`,
          { metadata: { field: "level" } },
        );
      }
      level = requested;
      requests.configureTracing(enabled && requested !== "OFF");
      return { enabled: requests.tracing(), level };
    },
    synchronizeWithPeers: (nodeSelectorPath) => nodeGroup.synchronize(nodeSelectorPath),
    async stats() {
      const { indexes } = await describeHost();
      return [...stats.all(), ...indexes.flatMap(indexStats)];
    },
    activity(
      indexLink,
      { startMicros, endMicros = nowMicros(), buckets = limits.activityDefault },
    ) {
      if (startMicros !== undefined && startMicros > endMicros)
        throw new HostError("REQUEST_INVALID", "The start of the activity is after its end.", {
          metadata: { field: "start_time_micros" },
        });
      const query = { endMicros, buckets, ...(startMicros !== undefined && { startMicros }) };
      return indexOf(indexLink).withEngine((engine) => engine.activity(query));
    },
    shutDown,
  };
}

/** Returns the gauges of an index. Except for the durable index, their names include its link. */
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
