import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { RequestCounter } from "../service/host/requests.js";

/** From a read of one document to a restore that is waited for. */
const buckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

export function requestMetrics(registry: Registry): RequestCounter {
  const registers = [registry];
  const total = new Counter({
    name: "holdfast_requests_total",
    help: "Requests that were answered, by the class of their status.",
    labelNames: ["surface", "method", "status"],
    registers,
  });
  const seconds = new Histogram({
    name: "holdfast_request_duration_seconds",
    help: "From the begin of a request to the end of its answer.",
    labelNames: ["surface", "method"],
    buckets,
    registers,
  });
  const inFlight = new Gauge({
    name: "holdfast_requests_in_flight",
    help: "Requests that are being answered.",
    labelNames: ["surface"],
    registers,
  });
  return {
    begin({ protocol: surface, method }) {
      inFlight.inc({ surface });
      const begun = performance.now();
      return (statusCode) => {
        inFlight.dec({ surface });
        seconds.observe({ surface, method }, (performance.now() - begun) / 1000);
        total.inc({ surface, method, status: `${Math.floor(statusCode / 100)}xx` });
      };
    },
  };
}
