import cliProgress from "cli-progress";
import { limits } from "../../limits.js";
import type { OperationMetadata } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { CommandContext } from "../command-context.js";
import { formatBytes, formatNumber, formatDuration } from "./format.js";
import { printable } from "./printable.js";

/** How far something is, for people: a bar on a terminal, now and then a line off it. */
export interface Progress {
  update(state: ProgressState): void;
  /** Takes the bar away; what comes later is not shown. */
  stop(): void;
}

export interface ProgressState {
  stage: string;
  done: number;
  /** 0 where it is not known. */
  total: number;
  /** What is counted. */
  unit: "bytes" | "records";
  /** Beside the bar, for example the rate and how much longer it takes. */
  detail: string;
}

export function startProgress({ json, quiet }: CommandContext): Progress {
  if (json || quiet) return { update() {}, stop() {} };
  const shown = process.stderr.isTTY ? bar() : lines();
  const rated = watchRate();
  const cleaned = (state: ProgressState) => ({
    ...state,
    stage: printable(state.stage),
    detail: printable(state.detail),
  });
  return { update: (state) => shown.update(cleaned(rated(state))), stop: () => shown.stop() };
}

/** Adds the rate of a stage, and how much longer it takes, where its detail has neither. */
export function watchRate(
  nowMs = () => performance.now(),
): (state: ProgressState) => ProgressState {
  let stage = "";
  let from = { ms: 0, done: 0 };
  return (state) => {
    const now = nowMs();
    if (state.stage !== stage || state.done < from.done) {
      stage = state.stage;
      from = { ms: now, done: state.done };
    }
    const perSecond = ((state.done - from.done) * 1000) / (now - from.ms);
    // A rate of the first moment is none.
    if (now - from.ms < limits.progressRateMs || !(perSecond > 0)) return state;
    const rate =
      state.unit === "bytes"
        ? `${formatBytes(perSecond)}/s`
        : `${formatNumber(Math.round(perSecond))}/s`;
    const left =
      state.total > state.done
        ? `ETA ${formatDuration(((state.total - state.done) / perSecond) * 1e6)}`
        : "";
    const more = [/\/s\b/.test(state.detail) ? "" : rate, /\bETA /.test(state.detail) ? "" : left];
    return { ...state, detail: [state.detail, ...more].filter((part) => part !== "").join(", ") };
  };
}

/** What an operation says of itself. */
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
  // A stage that works on records begins where the bytes were all fetched.
  const byBytes =
    documentsTotal === 0n ||
    (bytesTotal > 0n && !(bytesDone === bytesTotal && documentsDone < documentsTotal));
  const detail = [
    bytesDone > 0n ? formatBytes(bytesDone) : "",
    documentsDone > 0n ? `${formatNumber(documentsDone)} records` : "",
    byBytes && bytesPerSecond > 0 ? `${formatBytes(bytesPerSecond)}/s` : "",
    remainingMicros === undefined ? "" : `ETA ${formatDuration(remainingMicros)}`,
  ];
  return {
    stage: stage || "starting",
    done: Number(byBytes ? bytesDone : documentsDone),
    total: Number(byBytes ? bytesTotal : documentsTotal),
    unit: byBytes ? "bytes" : "records",
    detail: detail.filter((one) => one !== "").join(", "),
  };
}

const percentOf = ({ done, total }: ProgressState) =>
  total > 0 ? Math.min(100, Math.floor((done / total) * 100)) : undefined;

function bar(): Progress {
  const made = new cliProgress.SingleBar({
    format: "{stage} {share} |{bar}| {detail}",
    // On a narrow terminal the figures are what is wanted.
    barsize: Math.max(4, Math.min(24, (process.stderr.columns ?? 80) - 76)),
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    // Signals are ours: the operation on the host is cancelled first.
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
      if (running) made.update(percent ?? 0, payload);
      else made.start(100, percent ?? 0, payload);
      running = true;
    },
    stop() {
      if (running) made.stop();
      running = false;
      stopped = true;
    },
  };
}

/** One at each change of the stage, and one every two seconds. */
function lines(): Progress {
  let stage = "";
  let toldAt = 0;
  return {
    update(state) {
      const now = performance.now();
      if (state.stage === stage && now - toldAt < limits.progressLineMs) return;
      stage = state.stage;
      toldAt = now;
      const percent = percentOf(state);
      const figures = [percent === undefined ? "" : `${percent}%`, state.detail]
        .filter((one) => one !== "")
        .join(" ");
      process.stderr.write(`${stage}${figures === "" ? "" : `: ${figures}`}\n`);
    },
    stop() {},
  };
}
