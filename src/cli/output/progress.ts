import cliProgress from "cli-progress";
import { limits } from "../../limits.js";
import type { OperationMetadata } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Run } from "../run.js";
import { bytes, number, span } from "./figures.js";

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
  /** Beside the bar, for example the rate and how much longer it takes. */
  detail: string;
}

export function startProgress({ json, quiet }: Run): Progress {
  if (json || quiet) return { update() {}, stop() {} };
  return process.stderr.isTTY ? bar() : lines();
}

/** What an operation says of itself. */
export function progressOf(metadata: OperationMetadata): ProgressState {
  const { stage, bytesDone, bytesTotal, documentsDone, documentsTotal, bytesPerSecond, remainingMicros } = metadata;
  // A stage that works on records begins where the bytes were all fetched.
  const byBytes = documentsTotal === 0n || (bytesTotal > 0n && !(bytesDone === bytesTotal && documentsDone < documentsTotal));
  const detail = [
    bytesDone > 0n ? bytes(bytesDone) : "",
    documentsDone > 0n ? `${number(documentsDone)} records` : "",
    bytesPerSecond > 0 ? `${bytes(bytesPerSecond)}/s` : "",
    remainingMicros === undefined ? "" : `ETA ${span(remainingMicros)}`,
  ];
  return {
    stage: stage || "starting",
    done: Number(byBytes ? bytesDone : documentsDone),
    total: Number(byBytes ? bytesTotal : documentsTotal),
    detail: detail.filter((one) => one !== "").join(", "),
  };
}

const percentOf = ({ done, total }: ProgressState) => (total > 0 ? Math.min(100, Math.floor((done / total) * 100)) : undefined);

function bar(): Progress {
  const made = new cliProgress.SingleBar({
    format: "{stage} |{bar}| {share} {detail}",
    barsize: 24,
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
      const payload = { stage: state.stage.padEnd(10), share: percent === undefined ? "   " : `${percent}%`.padStart(4), detail: state.detail };
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
      const figures = [percent === undefined ? "" : `${percent}%`, state.detail].filter((one) => one !== "").join(" ");
      process.stderr.write(`${stage}${figures === "" ? "" : `: ${figures}`}\n`);
    },
    stop() {},
  };
}
