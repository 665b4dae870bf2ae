/**
 * Why output cannot be written: its reader closed the pipe, its terminal closed, or its disk is
 * full.
 */
export type OutputFailure = "pipe closed" | "terminal closed" | "disk full";

/**
 * Exit codes per failure: 128 plus the signal number (SIGPIPE, SIGHUP) as in a shell, or
 * EX_CANTCREAT for a full disk.
 */
export const outputFailureCodes: Record<OutputFailure, number> = {
  "pipe closed": 141,
  "terminal closed": 129,
  "disk full": 73,
};

/** Classifies an error of standard output or standard error. */
export function outputFailureOf({ code }: NodeJS.ErrnoException): OutputFailure {
  if (code === "EPIPE") return "pipe closed";
  return code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG"
    ? "disk full"
    : "terminal closed";
}

/**
 * Makes the process exit with the code of the first output failure, and reports a full disk on
 * standard error. The code is set on exit because a write may fail after the command has finished.
 */
export function trackOutputFailures(): void {
  let failure: OutputFailure | undefined;
  const onError = (error: NodeJS.ErrnoException) => {
    if (failure !== undefined) return;
    failure = outputFailureOf(error);
    if (failure === "disk full")
      process.stderr.write(
        `holdfast: Cannot write to standard output: no space left (${error.code}). The output is incomplete. Free space, or redirect the output elsewhere.\n`,
      );
  };
  for (const stream of [process.stdout, process.stderr]) stream.on("error", onError);
  process.once("exit", () => {
    // Codes above 1 report an error, which takes precedence; 0 and 1 (documents differ) describe
    // output that was lost.
    if (failure !== undefined && Number(process.exitCode ?? 0) <= 1)
      process.exitCode = outputFailureCodes[failure];
  });
}
