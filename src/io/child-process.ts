import { fork } from "node:child_process";
import { HostError, type HostErrorRecord } from "../errors.js";
import { entryPath, type EntryName } from "./entry.js";
import { fromFileError } from "./file-error.js";

/** A message from a child process: any number of progress messages, then a result or an error. */
export type ChildReply<R, P> = { progress: P } | { result: R } | { error: HostErrorRecord };

/** Options of a child process. */
export interface ChildOptions<P> {
  /** Kills the process when it aborts. */
  signal: AbortSignal;
  onProgress?: (progress: P) => void;
  /** Environment variables in addition to PATH. */
  environment?: Record<string, string>;
  nodeArguments?: string[];
}

/**
 * Runs one call in a child process, so that neither a crash nor its memory affects the host. Rejects
 * with the error of the call, the reason of the signal, or INTERNAL if the process ends early.
 */
export function runInChild<Q, R, P>(
  entry: EntryName,
  call: Q,
  options: ChildOptions<P>,
): Promise<R> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(HostError.from(signal.reason));
    const child = fork(entryPath(entry), [], {
      env: { PATH: process.env["PATH"], ...options.environment },
      execArgv: ["--max-old-space-size=96", ...(options.nodeArguments ?? [])],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    let outcome: ChildReply<R, P> | undefined;
    const abort = () => child.kill("SIGKILL");
    signal.addEventListener("abort", abort, { once: true });
    child.on("message", (reply: ChildReply<R, P>) => {
      if ("progress" in reply) options.onProgress?.(reply.progress);
      else outcome = reply;
    });
    const settle = (ended: string) => {
      signal.removeEventListener("abort", abort);
      if (signal.aborted) return reject(HostError.from(signal.reason));
      if (outcome && "result" in outcome) return resolve(outcome.result);
      if (outcome && "error" in outcome) return reject(HostError.fromRecord(outcome.error));
      reject(
        new HostError(
          "INTERNAL",
          `The process ${entry} ended unexpectedly (${ended}). Nothing was changed. Try again.`,
        ),
      );
    };
    child.once("error", (error) => settle(error.message));
    child.once("close", (code, killedBy) => settle(killedBy ?? `exit code ${code}`));
    child.send(call as object);
  });
}

/**
 * Runs the call that the parent sends to this child process, and exits when the parent exits. `what`
 * names the activity in messages about file errors.
 */
export function serveChild<Q, R, P>(
  what: string,
  run: (call: Q, report: (progress: P) => void) => Promise<R>,
): void {
  const send = (reply: ChildReply<R, P>, sent: () => void = () => {}) =>
    process.send?.(reply, sent);
  process.once("disconnect", () => process.exit(0));
  process.once("message", (call: Q) => {
    run(call, (progress) => send({ progress })).then(
      (result) => send({ result }, () => process.disconnect()),
      (error: unknown) =>
        send({ error: HostError.from(fromFileError(error, what)).toRecord() }, () =>
          process.disconnect(),
        ),
    );
  });
}
