import { constants, setPriority } from "node:os";
import Database from "better-sqlite3";
import { HostError } from "../../errors.js";
import { serveChild } from "../../io/child-process.js";
import { besideCheckOf } from "../../segment/check-threads.js";
import { fromSqlite } from "../../segment/sqlite-error.js";
import type { BuildResult, IndexCheck } from "../engine.js";
import { buildIndex, type BuildStage, type BuildTask } from "./build.js";
import { checkIndex } from "./check-index.js";

/** A call to the process that builds and checks indexes. */
export type BuildCall = { kind: "build"; task: BuildTask } | { kind: "check-index"; path: string };
export type BuildAnswer = BuildResult | IndexCheck;
export interface BuildProgress {
  stage: BuildStage;
  rows: number;
}
type ReportProgress = (progress: BuildProgress) => void;

async function build(task: BuildTask, report: ReportProgress): Promise<BuildResult> {
  return besideCheckOf(task.segments, () => {
    try {
      return buildIndex(task, (stage, rows) => report({ stage, rows }));
    } catch (thrown) {
      throw buildError(thrown, task.directory);
    }
  });
}

/** The key of the log is unique: no host writes a backup that violates it. */
function buildError(thrown: unknown, directory: string): HostError {
  if (thrown instanceof Database.SqliteError && thrown.code.startsWith("SQLITE_CONSTRAINT")) {
    return new HostError(
      "BACKUP_DAMAGED",
      "The backup contains two rows for one version of a document. Use another backup.",
      { cause: thrown },
    );
  }
  return fromSqlite(thrown, `Building the index in ${directory}`);
}

/** Runs at low priority, because the host serves the index meanwhile. */
function checkIndexAt(path: string, report: ReportProgress): IndexCheck {
  setPriority(constants.priority.PRIORITY_LOW);
  try {
    return checkIndex(path, (rows) => report({ stage: "checking", rows }));
  } catch (thrown) {
    throw fromSqlite(thrown, `Checking the index ${path}`);
  }
}

serveChild<BuildCall, BuildAnswer, BuildProgress>("Reading the backup", async (call, report) => {
  switch (call.kind) {
    case "build":
      return build(call.task, report);
    case "check-index":
      return checkIndexAt(call.path, report);
  }
});
