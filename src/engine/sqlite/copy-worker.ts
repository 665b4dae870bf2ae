import { serveCopies } from "../copy/serve-copies.js";
import { exportError } from "../copy/export-error.js";
import { exportSegment, type ExportTask } from "./export.js";

serveCopies<ExportTask>((task, report) => {
  try {
    return exportSegment(task, report);
  } catch (thrown) {
    throw exportError(thrown, task.path);
  }
});
