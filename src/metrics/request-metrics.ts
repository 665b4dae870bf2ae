import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { RequestCounter } from "../service/host/requests.js";

/** From the read of a document to a restore that the client waits for. */
const buckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

/** Registers metrics of requests. The label `surface` has the protocol. */
export function requestMetrics(registry: Registry): RequestCounter {
  const registers = [registry];
  const total = new Counter({
    name: "holdfast_requests_total",
    help: "Number of completed requests by status class.",
    labelNames: ["surface", "method", "status"],
    registers,
  });
  const seconds = new Histogram({
    name: "holdfast_request_duration_seconds",
    help: "Time from the start of a request to the end of its response in seconds.",
    labelNames: ["surface", "method"],
    buckets,
    registers,
  });
  const running = new Map<string, number>();
  new Gauge({
    name: "holdfast_requests_in_flight",
    help: "Number of requests in progress.",
    labelNames: ["surface"],
    registers,
    collect() {
      for (const [surface, count] of running) this.set({ surface }, count);
    },
  });
  return {
    begin({ protocol: surface, method }) {
      running.set(surface, (running.get(surface) ?? 0) + 1);
      const begun = performance.now();
      return (statusCode) => {
        running.set(surface, (running.get(surface) ?? 0) - 1);
        seconds.observe({ surface, method }, (performance.now() - begun) / 1000);
        total.inc({ surface, method, status: `${Math.floor(statusCode / 100)}xx` });
      };
    },
  };
}
