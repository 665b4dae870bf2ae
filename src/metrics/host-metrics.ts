import type { Registry } from "prom-client";
import type { HostDescription } from "../service/host/description.js";
import type { StreamService } from "../service/backups/streams.js";
import { gaugesOf, microsToSeconds } from "./gauges.js";

/** Registers metrics of indexes and their disk, and returns their setter. */
export function indexMetrics(
  registry: Registry,
): (host: Pick<HostDescription, "indexes" | "disk">) => void {
  const gauge = gaugesOf(registry);
  const of = (name: string, help: string) => gauge(`holdfast_index_${name}`, help, ["index"]);
  const size = of("size_bytes", "Size of an index in bytes.");
  const documents = of("documents", "Number of documents in an index, without deleted ones.");
  const versions = of("versions", "Number of document versions in an index.");
  const position = of(
    "position_timestamp_seconds",
    "Time of the last change of an index, in seconds since 1970; 0 if it was never changed.",
  );
  const earliest = of(
    "window_earliest_timestamp_seconds",
    "Earliest point in time that a backup made now would cover, in seconds since 1970.",
  );
  const latest = of(
    "window_latest_timestamp_seconds",
    "Latest point in time that a backup made now would cover, in seconds since 1970.",
  );
  const free = gauge(
    "holdfast_disk_free_bytes",
    "Free space on the disk of the data directory in bytes.",
  );
  const total = gauge(
    "holdfast_disk_size_bytes",
    "Size of the disk of the data directory in bytes.",
  );
  return ({ indexes, disk }) => {
    const each = (value: (index: HostDescription["indexes"][number]) => number) =>
      indexes.map((index) => [{ index: index.link }, value(index)] as const);
    size(each(({ sizeBytes }) => sizeBytes));
    documents(each((index) => index.documents));
    versions(each((index) => index.versions));
    position(each(({ positionMicros }) => microsToSeconds(positionMicros)));
    earliest(each(({ window }) => microsToSeconds(window.earliestMicros)));
    latest(each(({ window }) => microsToSeconds(window.latestMicros)));
    free([[{}, disk.freeBytes]]);
    total([[{}, disk.totalBytes]]);
  };
}

/**
 * Registers metrics of streamed archives by direction, from the view of the host, and returns their
 * setter.
 */
export function transferMetrics(
  registry: Registry,
): (streams: Pick<StreamService, "transfers" | "sending">) => void {
  const gauge = gaugesOf(registry);
  const count = gauge("holdfast_transfers", "Number of stored streamed archives.", ["direction"]);
  const bytes = gauge(
    "holdfast_transfer_bytes",
    "Size of stored streamed archives on disk in bytes.",
    ["direction"],
  );
  const active = gauge(
    "holdfast_streams_in_progress",
    "Number of archives being sent or received.",
    ["direction"],
  );
  return (streams) => {
    const all = streams.transfers.list();
    const byDirection = (["download", "upload"] as const).map((direction) => ({
      labels: { direction },
      own: all.filter((one) => one.direction === direction),
    }));
    count(byDirection.map(({ labels, own }) => [labels, own.length]));
    bytes(
      byDirection.map(({ labels, own }) => [
        labels,
        own.reduce((sum, { committedBytes }) => sum + committedBytes, 0),
      ]),
    );
    active([
      [{ direction: "download" }, streams.sending()],
      [{ direction: "upload" }, streams.transfers.uploading()],
    ]);
  };
}
