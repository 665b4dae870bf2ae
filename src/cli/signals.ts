import { HostError } from "../errors.js";
import { outputFailureCodes, outputFailureOf, type OutputFailure } from "./output-failure.js";

/** Why a command is to end: Ctrl-C, or what it prints arrives nowhere. */
type AbortReason = "interrupted" | OutputFailure;

export interface AbortState {
  /** Aborted by the first of them. */
  signal: AbortSignal;
  readonly reason: AbortReason | undefined;
  /** As a shell has it for the signal; 0 while nothing has happened. */
  readonly exitCode: number;
}

const codes: Record<AbortReason, number> = { interrupted: 130, ...outputFailureCodes };

/** A first SIGINT or SIGTERM stops in good order, a second one ends the process; output that nobody takes is no crash. */
export function watchSignals(): AbortState {
  const controller = new AbortController();
  let stopped: AbortReason | undefined;
  const stop = (why: AbortReason) => {
    if (stopped !== undefined) return;
    stopped = why;
    controller.abort(
      new HostError(
        "OPERATION_CANCELLED",
        why === "interrupted" ? "Interrupted." : "Nobody is there to read any more.",
      ),
    );
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stopped !== undefined) process.exit(codes.interrupted);
      stop("interrupted");
    });
  }
  process.on("SIGHUP", () => stop("terminal gone"));
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => stop(outputFailureOf(error)));
  }
  return {
    signal: controller.signal,
    get reason() {
      return stopped;
    },
    get exitCode() {
      return stopped === undefined ? 0 : codes[stopped];
    },
  };
}
