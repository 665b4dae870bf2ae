import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, type Registry } from "prom-client";
import { limits } from "../limits.js";
import { gaugesOf } from "./gauges.js";

/**
 * The process and its event loop, under the names that Prometheus' libraries have for them. Prom-client's own are not
 * taken: they watch the process until it ends, and a host in another program may be closed before.
 */
export function processMetrics(
  registry: Registry,
  version: string,
): { read(): void; close(): void } {
  const gauge = gaugesOf(registry);
  const build = gauge(
    "holdfast_build_info",
    "Always 1; which release this is, and on which Node.",
    ["version", "node"],
  );
  const start = gauge("process_start_time_seconds", "When the process was started.");
  const resident = gauge("process_resident_memory_bytes", "The memory of the process.");
  const heapUsed = gauge("nodejs_heap_size_used_bytes", "What of the main thread's heap is used.");
  const heapTotal = gauge("nodejs_heap_size_total_bytes", "How large the main thread's heap is.");
  const external = gauge(
    "nodejs_external_memory_bytes",
    "Buffers and what else lies beside the heap.",
  );
  const cpu = new Counter({
    name: "process_cpu_seconds_total",
    help: "CPU time of the process, all its threads.",
    registers: [registry],
  });
  const lag = (["p50", "p99", "max"] as const).map((which) =>
    gauge(
      `nodejs_eventloop_lag_${which}_seconds`,
      `How long the event loop was held up since the reading before: ${which}.`,
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
      // It counts whole ticks; what is beyond one tick's length is delay. Without a tick since the last reading there is none.
      const seconds = (nanos: number) =>
        Math.max(0, nanos / 1e9 - limits.eventLoopResolutionMs / 1000);
      const figures =
        loop.count === 0
          ? [0, 0, 0]
          : [seconds(loop.percentile(50)), seconds(loop.percentile(99)), seconds(loop.max)];
      for (const [i, set] of lag.entries()) set([[{}, figures[i] ?? 0]]);
      loop.reset();
    },
    close: () => void loop.disable(),
  };
}
