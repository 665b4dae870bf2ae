import type { Registry } from "prom-client";
import type { EngineDescription } from "../service/host/description.js";
import { gaugesOf, microsToSeconds } from "./gauges.js";

/** Registers metrics of a database and the hosts that share it, and returns their setter. */
export function databaseMetrics(registry: Registry): (engine: EngineDescription) => void {
  const gauge = gaugesOf(registry);
  const up = gauge(
    "holdfast_database_up",
    "1 while the database of the durable index answers, else 0.",
    ["database"],
  );
  const leader = gauge(
    "holdfast_leader",
    "1 on the host that backs up and restores for all that share its database, else 0.",
    ["database"],
  );
  const hosts = gauge(
    "holdfast_host_last_seen_seconds",
    "For how long a host that shares the database has shown no sign of life, in seconds.",
    ["host"],
  );
  const synchronous = gauge(
    "holdfast_database_synchronous",
    "1 if commits wait for a standby, so that the loss of the primary loses no acknowledged write, else 0.",
    ["database"],
  );
  const standbys = gauge(
    "holdfast_database_standbys",
    "Standbys that are connected to the primary of the database.",
    ["database"],
  );
  const lag = gauge(
    "holdfast_database_standby_lag_bytes",
    "Log that a standby has not flushed yet, in bytes.",
    ["standby", "mode"],
  );
  return ({ database }) => {
    if (!database) return;
    const { name, status, leads } = database;
    const labels = { database: name };
    up([[labels, status ? 1 : 0]]);
    leader([[labels, leads ? 1 : 0]]);
    hosts(
      database.hosts.map(({ id, lastSeenMicros }) => [
        { host: id },
        microsToSeconds(lastSeenMicros),
      ]),
    );
    synchronous(status ? [[labels, status.isSynchronous ? 1 : 0]] : []);
    lag(
      (status?.standbys ?? []).flatMap(({ name, mode, lagBytes }) =>
        lagBytes === undefined ? [] : [[{ standby: name, mode }, lagBytes]],
      ),
    );
    standbys(status ? [[labels, status.standbys.length]] : []);
  };
}
