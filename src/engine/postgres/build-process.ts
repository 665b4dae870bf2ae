import { setPriority, constants } from "node:os";
import { HostError } from "../../errors.js";
import { serveChild } from "../../io/child-process.js";
import { besideCheckOf } from "../../segment/check-threads.js";
import type { BuildResult, IndexCheck } from "../engine.js";
import { buildGeneration, type PostgresBuildTask } from "./build.js";
import { checkGeneration, type PostgresCheckTask } from "./check.js";
import { fromPostgres, isDuplicate } from "./postgres-error.js";

/** A call to the process that builds and checks generations. */
export type BuildCall =
  { kind: "build"; task: PostgresBuildTask } | { kind: "check"; task: PostgresCheckTask };
export type BuildAnswer = BuildResult | IndexCheck;
export interface BuildProgress {
  stage: "loading" | "indexing" | "checking";
  rows: number;
}
type Report = (progress: BuildProgress) => void;

async function build(task: PostgresBuildTask, report: Report): Promise<BuildResult> {
  return besideCheckOf(task.segments, () =>
    buildGeneration(task, (stage, rows) => report({ stage, rows })).catch((thrown: unknown) => {
      throw isDuplicate(thrown)
        ? new HostError(
            "BACKUP_DAMAGED",
            "The backup contains two rows for one version of a document. Use another backup.",
            { cause: thrown },
          )
        : fromPostgres(thrown, "Building the index");
    }),
  );
}

serveChild<BuildCall, BuildAnswer, BuildProgress>("Reading the backup", async (call, report) => {
  if (call.kind === "build") return build(call.task, report);
  // The host serves the index meanwhile.
  setPriority(constants.priority.PRIORITY_LOW);
  return checkGeneration(call.task, (rows) => report({ stage: "checking", rows })).catch(
    (thrown: unknown) => {
      throw fromPostgres(thrown, "Checking the index");
    },
  );
});
