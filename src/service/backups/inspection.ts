import { differenceOf, isSameVersion, pairsOf } from "../../backup/diff.js";
import { everything } from "../../backup/document-state.js";
import type { Report } from "../../backup/progress.js";
import type { DocumentVersion } from "../../document/document.js";
import type { LogAround, RestorableWindow } from "../../engine/engine.js";
import { HostError } from "../../errors.js";
import { openBoth } from "../../io/open-both.js";
import { limits } from "../../limits.js";
import type { ComparedStates, IndexStates } from "./index-states.js";
import type {
  DiffSummary,
  DocumentDifference,
  DocumentSelection,
  IndexPointInTime,
} from "../../backup/point-in-time.js";

/** Progress of the current stage of a comparison. */
export interface DiffProgress {
  stage: string;
  recordsDone: number;
  /** 0: not known. */
  recordsTotal: number;
}

/** Compares and exports backups and points in time of the live index. Changes nothing. */
export interface InspectionService {
  /** Yields differences in the order of their links, then the summary. */
  diff(
    from: IndexPointInTime,
    to: IndexPointInTime,
    selection: DocumentSelection | undefined,
    signal: AbortSignal,
    onProgress?: (progress: DiffProgress) => void,
  ): AsyncGenerator<DocumentDifference | DiffSummary>;
  /** Yields documents in the order of their links. `onWarning` receives what is to be known of the choice of the backup. */
  export(
    pointInTime: IndexPointInTime,
    selection: DocumentSelection | undefined,
    signal: AbortSignal,
    onWarning?: (warning: string) => void,
  ): AsyncGenerator<DocumentVersion>;
  /** Returns the versions written around a point in time. */
  around(
    pointInTime: IndexPointInTime,
    count: number,
    signal: AbortSignal,
  ): Promise<LogAround & { window: RestorableWindow }>;
}

export function createInspectionService(states: IndexStates): InspectionService {
  return {
    async *diff(from, to, selection = everything, signal, onProgress = () => {}) {
      const {
        from: left,
        to: right,
        unchanged,
      } = await openStates(states, from, to, selection, signal, onProgress);
      try {
        const warnings = [...left.warnings, ...right.warnings];
        const summary: DiffSummary = { created: 0, changed: 0, deleted: 0, unchanged, warnings };
        // The number of selected documents is not known in advance.
        const total =
          selection === everything ? Math.max(left.documentCount, right.documentCount) : 0;
        let recordsDone = unchanged;
        for await (const pair of pairsOf(left, right, selection, signal)) {
          recordsDone += 1;
          onProgress({
            stage: "comparing",
            recordsDone,
            recordsTotal: total && Math.max(total, recordsDone),
          });
          if (isSameVersion(pair)) {
            summary.unchanged += 1;
            continue;
          }
          const difference = await differenceOf(pair, left, right);
          summary[sumOf[difference.change]] += 1;
          yield difference;
        }
        yield summary;
      } finally {
        await Promise.all([left.close(), right.close()]);
      }
    },
    async *export(pointInTime, selection = everything, signal, onWarning = () => {}) {
      const state = await states.open(pointInTime, signal, () => {});
      state.warnings.forEach(onWarning);
      try {
        yield* state.documents(selection, true, signal);
      } finally {
        await state.close();
      }
    },
    async around(pointInTime, count, signal) {
      const { targetTimeMicros } = pointInTime;
      if (targetTimeMicros === undefined)
        throw new HostError("REQUEST_INVALID", "A point in time is required: target_time_micros.", {
          metadata: { field: "point_in_time.target_time_micros" },
        });
      return states.around(
        pointInTime,
        Number(targetTimeMicros),
        count || limits.versionsAround,
        signal,
      );
    },
  };
}

/**
 * Opens two states: of two backups with the documents that differ alone, otherwise in parallel, since
 * each takes a while.
 */
async function openStates(
  states: IndexStates,
  from: IndexPointInTime,
  to: IndexPointInTime,
  selection: DocumentSelection,
  signal: AbortSignal,
  onProgress: (progress: DiffProgress) => void,
): Promise<ComparedStates> {
  if (from.uri !== undefined && to.uri !== undefined)
    return states.compare(from, to, selection, signal, reportOf(onProgress));
  const [first, second] = sideBySide(onProgress);
  const [left, right] = await openBoth([
    states.open(from, signal, first),
    states.open(to, signal, second),
  ]);
  return { from: left, to: right, unchanged: 0 };
}

/** Reports the stages of a comparison. */
function reportOf(onProgress: (progress: DiffProgress) => void): Report {
  const progress: DiffProgress = { stage: "reading", recordsDone: 0, recordsTotal: 0 };
  return ({ stage, documentsDone, documentsTotal }) => {
    if (stage !== undefined) Object.assign(progress, { stage, recordsDone: 0, recordsTotal: 0 });
    if (documentsDone !== undefined) progress.recordsDone = documentsDone;
    if (documentsTotal !== undefined) progress.recordsTotal = documentsTotal;
    onProgress({ ...progress });
  };
}

interface Counted {
  done: number;
  total: number;
}

/** Combines the progress of two states that are opened in parallel: the records of both, and the last reported stage. */
function sideBySide(onProgress: (progress: DiffProgress) => void): [Report, Report] {
  const sides: [Counted, Counted] = [
    { done: 0, total: 0 },
    { done: 0, total: 0 },
  ];
  const sum = (which: keyof Counted) => sides.reduce((all, side) => all + side[which], 0);
  const reportSide =
    (side: Counted): Report =>
    ({ stage = "reading", documentsDone = side.done, documentsTotal = side.total }) => {
      Object.assign(side, { done: documentsDone, total: documentsTotal });
      // Only loading counts records.
      const counted = stage === "loading";
      onProgress({
        stage,
        recordsDone: counted ? sum("done") : 0,
        recordsTotal: counted ? sum("total") : 0,
      });
    };
  return [reportSide(sides[0]), reportSide(sides[1])];
}

const sumOf = { CREATED: "created", CHANGED: "changed", DELETED: "deleted" } as const;
