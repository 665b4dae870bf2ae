import { exportError } from "../copy/export-error.js";
import { serveCopies } from "../copy/serve-copies.js";
import { exportSegment, type PostgresExportTask } from "./export.js";
import { fromPostgres } from "./postgres-error.js";

serveCopies<PostgresExportTask>((task, report) =>
  exportSegment(task, report).catch((thrown: unknown) => {
    const error = exportError(thrown, task.path);
    throw error.reason === "INTERNAL" ? fromPostgres(thrown, "Copying the index") : error;
  }),
);
