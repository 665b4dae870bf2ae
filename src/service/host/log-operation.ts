import type { OperationView } from "../../operation/operation.js";
import { operationOutcome } from "./operation-outcome.js";

interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Logs an operation that has ended. Destinations and error messages contain no secrets. */
export function logOperation(log: Log, view: OperationView): void {
  const { name, kind, indexLink, target, error, progress } = view;
  const outcome = operationOutcome(view);
  const fields = {
    operation: name,
    kind,
    indexLink,
    target,
    ...outcome,
    warnings: progress.warnings,
  };
  const message = `${kind} ${outcome.outcome}`;
  if (outcome.outcome === "failed")
    log.warn({ ...fields, reason: error?.reason, problem: error?.message }, message);
  else log.info(fields, message);
}
