import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { OperationKind, OperationView } from "../operation/operation.js";
import { operationOutcome } from "../service/host/operation-outcome.js";

const kinds: readonly OperationKind[] = [
  "backup",
  "restore",
  "undo-restore",
  "verify-backup",
  "check-index",
];
const buckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400];

/** Metrics of operations. */
export interface OperationMetrics {
  /** Records an operation that has ended. */
  note(view: OperationView): void;
  /** Updates the number of running operations. */
  read(operations: readonly OperationView[]): void;
}

/** Registers metrics of operations. */
export function operationMetrics(registry: Registry): OperationMetrics {
  const registers = [registry];
  const running = new Gauge({
    name: "holdfast_operations_running",
    help: "Number of running operations.",
    labelNames: ["kind"],
    registers,
  });
  const ended = new Counter({
    name: "holdfast_operations_total",
    help: "Number of ended operations by outcome: done, failed or cancelled.",
    labelNames: ["kind", "outcome"],
    registers,
  });
  const seconds = new Histogram({
    name: "holdfast_operation_duration_seconds",
    help: "Duration of operations in seconds.",
    labelNames: ["kind"],
    buckets,
    registers,
  });
  const bytes = new Counter({
    name: "holdfast_operation_bytes_total",
    help: "Bytes written by backups and read by restores and checks.",
    labelNames: ["kind"],
    registers,
  });
  // Initialize all series, so that alerts can detect the increase at the first failure.
  for (const kind of kinds)
    for (const outcome of ["done", "failed", "cancelled"]) ended.inc({ kind, outcome }, 0);
  for (const kind of kinds) bytes.inc({ kind }, 0);
  return {
    note(view) {
      const { kind } = view;
      const values = operationOutcome(view);
      ended.inc({ kind, outcome: values.outcome });
      seconds.observe({ kind }, Math.max(0, values.seconds));
      bytes.inc({ kind }, values.bytes);
    },
    read(operations) {
      for (const kind of kinds)
        running.set({ kind }, operations.filter((one) => one.kind === kind && !one.done).length);
    },
  };
}
