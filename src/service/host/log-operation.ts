import type { OperationView } from "../backups/management-service.js";
import { operationOutcome } from "./operation-outcome.js";

interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** One line for an operation that has ended. Destinations and messages of errors hold no secrets. */
export function logOperation(log: Log, view: OperationView): void {
  const { name, kind, indexLink, target, error, progress } = view;
  const figures = operationOutcome(view);
  const fields = {
    operation: name,
    kind,
    indexLink,
    target,
    ...figures,
    warnings: progress.warnings,
  };
  const message = `${kind} ${figures.outcome}`;
  if (figures.outcome === "failed")
    log.warn({ ...fields, reason: error?.reason, problem: error?.message }, message);
  else log.info(fields, message);
}
