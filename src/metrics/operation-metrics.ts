import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { OperationKind, OperationView } from "../service/backups/management-service.js";
import { operationOutcome } from "../service/host/operation-outcome.js";

const kinds: readonly OperationKind[] = [
  "backup",
  "restore",
  "undo-restore",
  "verify-backup",
  "check-index",
];
const buckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400];

export interface OperationMetrics {
  note(view: OperationView): void;
  /** Takes the operations that the host remembers. */
  read(operations: readonly OperationView[]): void;
}

export function operationMetrics(registry: Registry): OperationMetrics {
  const registers = [registry];
  const running = new Gauge({
    name: "holdfast_operations_running",
    help: "Operations that run.",
    labelNames: ["kind"],
    registers,
  });
  const ended = new Counter({
    name: "holdfast_operations_total",
    help: "Operations that have ended: done, failed or cancelled.",
    labelNames: ["kind", "outcome"],
    registers,
  });
  const seconds = new Histogram({
    name: "holdfast_operation_duration_seconds",
    help: "How long operations took.",
    labelNames: ["kind"],
    buckets,
    registers,
  });
  const bytes = new Counter({
    name: "holdfast_operation_bytes_total",
    help: "What backups wrote, restores and checks went through.",
    labelNames: ["kind"],
    registers,
  });
  // A series that is there from the start: what appears with its first failure has no increase to alert on.
  for (const kind of kinds)
    for (const outcome of ["done", "failed", "cancelled"]) ended.inc({ kind, outcome }, 0);
  for (const kind of kinds) bytes.inc({ kind }, 0);
  return {
    note(view) {
      const { kind } = view;
      const figures = operationOutcome(view);
      ended.inc({ kind, outcome: figures.outcome });
      seconds.observe({ kind }, Math.max(0, figures.seconds));
      bytes.inc({ kind }, figures.bytes);
    },
    read(operations) {
      for (const kind of kinds)
        running.set({ kind }, operations.filter((one) => one.kind === kind && !one.done).length);
    },
  };
}
