/** Why what a command prints arrives nowhere: its reader has left, its terminal is gone, or the file that it goes to takes no more. */
export type OutputFailure = "pipe closed" | "terminal gone" | "no room";

/** As a shell has it for the signal; for a file what no room for any other file is. */
export const outputFailureCodes: Record<OutputFailure, number> = {
  "pipe closed": 141,
  "terminal gone": 129,
  "no room": 73,
};

export function outputFailureOf({ code }: NodeJS.ErrnoException): OutputFailure {
  if (code === "EPIPE") return "pipe closed";
  return code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG" ? "no room" : "terminal gone";
}

/** Gives the process the exit code of what is lost, however late that is heard of, and says that a file is not complete. */
export function trackOutputFailures(): void {
  let lost: OutputFailure | undefined;
  const note = (error: NodeJS.ErrnoException) => {
    if (lost !== undefined) return;
    lost = outputFailureOf(error);
    if (lost === "no room")
      process.stderr.write(
        `holdfast: There is no room for what goes to standard output (${error.code}): what is there is not complete.\n`,
      );
  };
  for (const stream of [process.stdout, process.stderr]) stream.on("error", note);
  process.once("exit", () => {
    // What went well, or found differences, has told nobody. An error has been told.
    if (lost !== undefined && Number(process.exitCode ?? 0) <= 1)
      process.exitCode = outputFailureCodes[lost];
  });
}
