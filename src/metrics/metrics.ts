import { Registry } from "prom-client";
import { limits } from "../limits.js";
import type { AutoBackupStatus } from "../backup/schedule/status.js";
import type { HostDescription } from "../service/host/description.js";
import type { OperationService, OperationView } from "../operation/operation.js";
import type { RequestCounter } from "../service/host/requests.js";
import type { Stats } from "../stats/stats.js";
import type { PolicyView } from "../service/policies/policy-service.js";
import type { StreamService } from "../service/backups/streams.js";
import { autoBackupMetrics, backupMetrics } from "./backup-metrics.js";
import { databaseMetrics } from "./database-metrics.js";
import { indexMetrics, transferMetrics } from "./host-metrics.js";
import { operationMetrics } from "./operation-metrics.js";
import { policyMetrics } from "./policy-metrics.js";
import { processMetrics } from "./process-metrics.js";
import { requestMetrics } from "./request-metrics.js";

/** Sources of the values that are read on each scrape. */
export interface MetricSources {
  describeHost(): Promise<HostDescription>;
  stats: Stats;
  /** Absent: another host backs up and restores, and has the metrics of that. */
  leader?:
    | {
        backups: {
          operations: Pick<OperationService, "list">;
          autoBackup: { status(): AutoBackupStatus };
        };
        streams: Pick<StreamService, "transfers" | "sending">;
        policies: { list(): Promise<PolicyView[]> };
      }
    | undefined;
}

/** Metrics of a host. Several hosts in one process have separate metrics. */
export interface Metrics {
  readonly requests: RequestCounter;
  /** Records an operation that has ended. */
  noteOperation(view: OperationView): void;
  /** Reads all values and renders them. Concurrent calls share one reading. */
  read(sources: MetricSources): Promise<Exposition>;

  /** Stops background measurements. */
  close(): void;
}

/** Metrics in the Prometheus exposition format. */
export interface Exposition {
  contentType: string;
  text: string;
}

/** Creates and registers all metrics of a host. */
export function createMetrics({
  nowMicros,
  version,
}: {
  nowMicros: () => number;
  version: string;
}): Metrics {
  const registry = new Registry();
  const requests = requestMetrics(registry);
  const operations = operationMetrics(registry);
  const backups = backupMetrics(registry, nowMicros);
  const autoBackup = autoBackupMetrics(registry);
  const policies = policyMetrics(registry);
  const indexes = indexMetrics(registry);
  const transfers = transferMetrics(registry);
  const database = databaseMetrics(registry);
  const own = processMetrics(registry, version);
  let reading: Promise<Exposition> | undefined;

  async function read(sources: MetricSources): Promise<Exposition> {
    const host = await sources.describeHost();
    indexes(host);
    database(host.engine);
    // Without backups on a host that does not lead.
    backups(host);
    const { leader } = sources;
    if (leader) {
      autoBackup(leader.backups.autoBackup.status(), sources.stats);
      policies(await leader.policies.list());
      operations.read(leader.backups.operations.list(limits.operations).operations);
      transfers(leader.streams);
    } else policies([]);
    own.read();
    return { contentType: registry.contentType, text: await registry.metrics() };
  }

  return {
    requests,
    noteOperation: (view) => operations.note(view),
    read: (sources) => (reading ??= read(sources).finally(() => (reading = undefined))),
    close: () => own.close(),
  };
}
