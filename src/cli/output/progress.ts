import cliProgress from "cli-progress";
import { limits } from "../../limits.js";
import type { OperationMetadata } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { CommandContext } from "../command-context.js";
import { formatBytes, formatCount, formatDuration, formatNumber } from "./format.js";
import { printable } from "./printable.js";

/** Display of progress on standard error: a bar on a terminal, otherwise occasional lines. */
export interface Progress {
  update(state: ProgressState): void;
  /** Removes the bar and ignores further updates. */
  stop(): void;
}

/** Progress of one stage of an operation. */
export interface ProgressState {
  stage: string;
  done: number;
  /** 0 if unknown. */
  total: number;
  /** Unit of `done` and `total`. */
  unit: "bytes" | "records";
  /** Text next to the bar, for example the rate and the remaining time. */
  detail: string;
}

/** Creates the display of progress for a command; it shows nothing with --json or --quiet. */
export function startProgress({ json, quiet }: CommandContext): Progress {
  if (json || quiet) return { update() {}, stop() {} };
  const display = process.stderr.isTTY ? bar() : lines();
  const withRate = rateTracker();
  const escaped = (state: ProgressState) => ({
    ...state,
    stage: printable(state.stage),
    detail: printable(state.detail),
  });
  return {
    update: (state) => display.update(escaped(withRate(state))),
    stop: () => display.stop(),
  };
}

/**
 * Returns a function that adds the rate and the remaining time of the stage to the detail of a
 * state, unless the detail has them. It adds them once a stage has run for limits.progressRateMs.
 */
export function rateTracker(
  nowMs = () => performance.now(),
): (state: ProgressState) => ProgressState {
  let stage = "";
  let start = { ms: 0, done: 0 };
  return (state) => {
    const now = nowMs();
    if (state.stage !== stage || state.done < start.done) {
      stage = state.stage;
      start = { ms: now, done: state.done };
    }
    const perSecond = ((state.done - start.done) * 1000) / (now - start.ms);
    // A rate over a very short time is meaningless.
    if (now - start.ms < limits.progressRateMs || !(perSecond > 0)) return state;
    const rate =
      state.unit === "bytes"
        ? `${formatBytes(perSecond)}/s`
        : `${formatNumber(Math.round(perSecond))}/s`;
    const remaining =
      state.total > state.done
        ? `ETA ${formatDuration(((state.total - state.done) / perSecond) * 1e6)}`
        : "";
    const additions = [
      /\/s\b/.test(state.detail) ? "" : rate,
      /\bETA /.test(state.detail) ? "" : remaining,
    ];
    return {
      ...state,
      detail: [state.detail, ...additions].filter((part) => part !== "").join(", "),
    };
  };
}

/** Converts the metadata of an operation to its progress. */
export function progressOf(metadata: OperationMetadata): ProgressState {
  const {
    stage,
    bytesDone,
    bytesTotal,
    documentsDone,
    documentsTotal,
    bytesPerSecond,
    remainingMicros,
  } = metadata;
  // A stage that processes records starts after all bytes were fetched.
  const byBytes =
    documentsTotal === 0n ||
    (bytesTotal > 0n && !(bytesDone === bytesTotal && documentsDone < documentsTotal));
  const detail = [
    bytesDone > 0n ? formatBytes(bytesDone) : "",
    documentsDone > 0n ? formatCount(documentsDone, "record") : "",
    byBytes && bytesPerSecond > 0 ? `${formatBytes(bytesPerSecond)}/s` : "",
    remainingMicros === undefined ? "" : `ETA ${formatDuration(remainingMicros)}`,
  ];
  return {
    stage: stage || "starting",
    done: Number(byBytes ? bytesDone : documentsDone),
    total: Number(byBytes ? bytesTotal : documentsTotal),
    unit: byBytes ? "bytes" : "records",
    detail: detail.filter((part) => part !== "").join(", "),
  };
}

const percentOf = ({ done, total }: ProgressState) =>
  total > 0 ? Math.min(100, Math.floor((done / total) * 100)) : undefined;

function bar(): Progress {
  const progressBar = new cliProgress.SingleBar({
    format: "{stage} {share} |{bar}| {detail}",
    // On a narrow terminal the numbers take precedence over the bar.
    barsize: Math.max(4, Math.min(24, (process.stderr.columns ?? 80) - 76)),
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    // signals.ts handles signals: the operation on the host is cancelled first.
    gracefulExit: false,
    forceRedraw: true,
  });
  let running = false;
  let stopped = false;
  return {
    update(state) {
      if (stopped) return;
      const percent = percentOf(state);
      const payload = {
        stage: state.stage.padEnd(10),
        share: percent === undefined ? "   " : `${percent}%`.padStart(4),
        detail: state.detail,
      };
      if (running) progressBar.update(percent ?? 0, payload);
      else progressBar.start(100, percent ?? 0, payload);
      running = true;
    },
    stop() {
      if (running) progressBar.stop();
      running = false;
      stopped = true;
    },
  };
}

/** Prints a line when the stage changes, and every limits.progressLineMs (2 s). */
function lines(): Progress {
  let stage = "";
  let printedAtMs = 0;
  return {
    update(state) {
      const now = performance.now();
      if (state.stage === stage && now - printedAtMs < limits.progressLineMs) return;
      stage = state.stage;
      printedAtMs = now;
      const percent = percentOf(state);
      const details = [percent === undefined ? "" : `${percent}%`, state.detail]
        .filter((part) => part !== "")
        .join(" ");
      process.stderr.write(`${stage}${details === "" ? "" : `: ${details}`}\n`);
    },
    stop() {},
  };
}
