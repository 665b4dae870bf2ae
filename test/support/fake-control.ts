import type { HostControl } from "../../src/service/host/host-control.js";
import { loggingAtStart, type RequestLogging } from "../../src/service/host/requests.js";
import { createStats } from "../../src/stats/stats.js";

/** Settings of a host, in memory. */
export interface FakeControl extends HostControl {
  shutdowns: number;
}

export function createFakeControl(): FakeControl {
  let enabled = false;
  let logging: RequestLogging = loggingAtStart;
  let tracing = { enabled: false, level: "OFF" };
  const stats = createStats(() => 1_795_348_359_300_000);
  const autoBackup = () => ({
    enabled,
    destination: "file:///data/of%20holdfast/auto-backup",
    indexLink: "/core/document-index",
    state: enabled ? ("CURRENT" as const) : ("OFF" as const),
    failuresInARow: 0,
    warnings: [],
  });
  const fake: FakeControl = {
    shutdowns: 0,
    autoBackup,
    configureAutoBackup(wanted) {
      enabled = wanted;
      return Promise.resolve(autoBackup());
    },
    requestLogging: () => logging,
    configureRequestLogging: (wanted) => (logging = { ...logging, ...wanted }),
    operationTracing: () => tracing,
    configureOperationTracing: (wanted, level = wanted ? "ALL" : "OFF") =>
      (tracing = { enabled: wanted, level }),
    synchronizeWithPeers: () =>
      Promise.resolve([{ id: "host-1", positionMicros: 1, inAgreement: true }]),
    stats: () => Promise.resolve(stats.all()),
    activity: () => Promise.reject(new Error("The dialect of Xenon has no activity.")),
    shutDown: () => void (fake.shutdowns += 1),
  };
  return fake;
}
