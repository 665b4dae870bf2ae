import type { Command } from "commander";
import { exitCode, HostError } from "../errors.js";
import type { OutputFlags } from "./flags.js";
import type { Action } from "./command-context.js";

/**
 * Returns a commander action that imports the command's implementation only when the command is
 * invoked, which keeps --help fast. Reports errors and sets the exit code of the process.
 */
export function lazyAction<Flags extends OutputFlags>(
  load: () => Promise<Action<Flags>>,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    // commander passes a variadic argument as an array.
    const args = given.slice(0, -2).flat() as (string | undefined)[];
    const flags = command.opts<Flags>();
    const [{ createContext, exitCodeAfterAbort }, action] = await Promise.all([
      import("./command-context.js"),
      load(),
    ]);
    const context = createContext(nameOf(command), flags);
    try {
      process.exitCode = (await action(context, flags, ...args)) ?? context.abort.exitCode;
    } catch (thrown) {
      const error = HostError.from(thrown);
      const { reportError } = await import("./output/error.js");
      await reportError(context, error);
      process.exitCode = exitCodeAfterAbort(context.abort, error, exitCode(error));
    }
  };
}

/** The words of the command after "holdfast". */
function nameOf(command: Command): string {
  const names: string[] = [];
  for (let current: Command | null = command; current?.parent; current = current.parent)
    names.unshift(current.name());
  return names.join(" ");
}
