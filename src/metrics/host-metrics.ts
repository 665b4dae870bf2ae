import type { Registry } from "prom-client";
import type { HostDescription } from "../service/backups/management-service.js";
import type { StreamService } from "../service/backups/streams.js";
import { gaugesOf, microsToSeconds } from "./gauges.js";

/** Indexes and the disk they lie on. */
export function indexMetrics(
  registry: Registry,
): (host: Pick<HostDescription, "indexes" | "disk">) => void {
  const gauge = gaugesOf(registry);
  const of = (name: string, help: string) => gauge(`holdfast_index_${name}`, help, ["index"]);
  const size = of("size_bytes", "What an index takes.");
  const documents = of("documents", "Documents whose latest version is not deleted.");
  const versions = of("versions", "Versions of all documents.");
  const position = of("position_timestamp_seconds", "When an index was changed last; 0: never.");
  const earliest = of(
    "window_earliest_timestamp_seconds",
    "The earliest moment of which a backup made now would know the state.",
  );
  const latest = of("window_latest_timestamp_seconds", "The latest such moment.");
  const free = gauge("holdfast_disk_free_bytes", "What is free on the disk of the data directory.");
  const total = gauge("holdfast_disk_size_bytes", "How large the disk of the data directory is.");
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

/** Archives that are streamed, by their direction as the host sees it. */
export function transferMetrics(
  registry: Registry,
): (streams: Pick<StreamService, "transfers" | "sending">) => void {
  const gauge = gaugesOf(registry);
  const count = gauge("holdfast_transfers", "Streamed archives that are kept.", ["direction"]);
  const bytes = gauge("holdfast_transfer_bytes", "What of them is on the disk.", ["direction"]);
  const active = gauge(
    "holdfast_streams_in_progress",
    "Archives that are being sent or received.",
    ["direction"],
  );
  return ({ transfers, sending }) => {
    const all = transfers.list();
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
      [{ direction: "download" }, sending()],
      [{ direction: "upload" }, transfers.uploading()],
    ]);
  };
}
