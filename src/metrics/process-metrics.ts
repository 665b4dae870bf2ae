import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, type Registry } from "prom-client";
import { limits } from "../limits.js";
import { gaugesOf } from "./gauges.js";

/**
 * Registers metrics of the process and its event loop under the usual names of Prometheus client
 * libraries. The collectors of prom-client are not used because they run until the process ends,
 * while a host embedded in another program may be closed before.
 */
export function processMetrics(
  registry: Registry,
  version: string,
): { read(): void; close(): void } {
  const gauge = gaugesOf(registry);
  const build = gauge(
    "holdfast_build_info",
    "Constant 1, labelled with the Holdfast and Node.js versions.",
    ["version", "node"],
  );
  const start = gauge(
    "process_start_time_seconds",
    "Start time of the process, in seconds since 1970.",
  );
  const resident = gauge(
    "process_resident_memory_bytes",
    "Resident memory of the process in bytes.",
  );
  const heapUsed = gauge("nodejs_heap_size_used_bytes", "Used heap of the main thread in bytes.");
  const heapTotal = gauge(
    "nodejs_heap_size_total_bytes",
    "Total heap of the main thread in bytes.",
  );
  const external = gauge(
    "nodejs_external_memory_bytes",
    "Memory outside the heap, such as buffers, in bytes.",
  );
  const cpu = new Counter({
    name: "process_cpu_seconds_total",
    help: "CPU time of all threads of the process in seconds.",
    registers: [registry],
  });
  const lag = (["p50", "p99", "max"] as const).map((which) =>
    gauge(
      `nodejs_eventloop_lag_${which}_seconds`,
      `Event loop delay since the previous scrape in seconds: ${which}.`,
    ),
  );
  const loop = monitorEventLoopDelay({ resolution: limits.eventLoopResolutionMs });
  loop.enable();
  return {
    read() {
      build([[{ version, node: process.version }, 1]]);
      start([[{}, performance.timeOrigin / 1000]]);
      const memory = process.memoryUsage();
      resident([[{}, memory.rss]]);
      heapUsed([[{}, memory.heapUsed]]);
      heapTotal([[{}, memory.heapTotal]]);
      external([[{}, memory.external]]);
      const { user, system } = process.cpuUsage();
      cpu.reset();
      cpu.inc((user + system) / 1_000_000);
      // The histogram records whole ticks, so the delay is the part beyond the resolution. Without
      // a tick, there is no data.
      const seconds = (nanos: number) =>
        Math.max(0, nanos / 1e9 - limits.eventLoopResolutionMs / 1000);
      const delays =
        loop.count === 0
          ? [0, 0, 0]
          : [seconds(loop.percentile(50)), seconds(loop.percentile(99)), seconds(loop.max)];
      for (const [i, set] of lag.entries()) set([[{}, delays[i] ?? 0]]);
      loop.reset();
    },
    close: () => void loop.disable(),
  };
}
