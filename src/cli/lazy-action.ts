import type { Command } from "commander";
import { exitCode, HostError } from "../errors.js";
import type { OutputFlags } from "./flags.js";
import type { Action } from "./command-context.js";

/** The action of a command, loaded when the command is given and not before; sets the exit code. */
export function lazyAction<Flags extends OutputFlags>(
  load: () => Promise<Action<Flags>>,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    // The last argument may be a list.
    const args = given.slice(0, -2).flat() as (string | undefined)[];
    const flags = command.opts<Flags>();
    const [{ createContext: startRun, exitCodeAfterAbort: stoppedOr }, action] = await Promise.all([
      import("./command-context.js"),
      load(),
    ]);
    const run = startRun(nameOf(command), flags);
    try {
      process.exitCode = (await action(run, flags, ...args)) ?? run.abort.exitCode;
    } catch (thrown) {
      const error = HostError.from(thrown);
      const { reportError } = await import("./output/error.js");
      await reportError(run, error);
      process.exitCode = stoppedOr(run.abort, error, exitCode(error));
    }
  };
}

/** The command's words after "holdfast". */
function nameOf(command: Command): string {
  const names: string[] = [];
  for (let one: Command | null = command; one?.parent; one = one.parent) names.unshift(one.name());
  return names.join(" ");
}
