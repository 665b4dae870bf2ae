import { HostError } from "../errors.js";
import { outputFailureCodes, outputFailureOf, type OutputFailure } from "./output-failure.js";

/** Why a command is aborted: SIGINT or SIGTERM, or its output cannot be written. */
type AbortReason = "interrupted" | OutputFailure;

/** Whether and why a command is aborted. */
export interface AbortState {
  /** Aborted with an OPERATION_CANCELLED error by the first reason. */
  signal: AbortSignal;
  /** The first reason; undefined while the command is not aborted. */
  readonly reason: AbortReason | undefined;
  /**
   * Exit code of the reason, 128 plus the signal number as in a shell; 0 while the command is not
   * aborted.
   */
  readonly exitCode: number;
}

const exitCodes: Record<AbortReason, number> = { interrupted: 130, ...outputFailureCodes };

/**
 * Watches the signals and output streams of the process and returns the resulting state. A first
 * SIGINT or SIGTERM aborts the command, which may then clean up; a second one exits at once. SIGHUP
 * and failed output abort it too.
 */
export function watchSignals(): AbortState {
  const controller = new AbortController();
  let reason: AbortReason | undefined;
  const abort = (because: AbortReason) => {
    if (reason !== undefined) return;
    reason = because;
    controller.abort(
      new HostError(
        "OPERATION_CANCELLED",
        because === "interrupted" ? "Interrupted." : `Cannot write the output: ${because}.`,
      ),
    );
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (reason !== undefined) process.exit(exitCodes.interrupted);
      abort("interrupted");
    });
  }
  process.on("SIGHUP", () => abort("terminal closed"));
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => abort(outputFailureOf(error)));
  }
  return {
    signal: controller.signal,
    get reason() {
      return reason;
    },
    get exitCode() {
      return reason === undefined ? 0 : exitCodes[reason];
    },
  };
}
