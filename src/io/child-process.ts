import { fork } from "node:child_process";
import { HostError, type HostErrorRecord } from "../errors.js";
import { entryPath, type EntryName } from "./entry.js";
import { fromFileError } from "./file-error.js";

/** What comes back from a child process: progress any number of times, then a result or an error. */
export type ChildReply<R, P> = { progress: P } | { result: R } | { error: HostErrorRecord };

export interface ChildOptions<P> {
  signal: AbortSignal;
  onProgress?: (progress: P) => void;
  /** Beside PATH. */
  environment?: Record<string, string>;
  nodeArguments?: string[];
}

/** Runs one call in a process of its own, which is killed when the signal aborts; neither that nor a crash harms the host. */
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
          `The process for ${entry} ended before it was done (${ended}); what was there before is as it was.`,
        ),
      );
    };
    child.once("error", (error) => settle(error.message));
    child.once("close", (code, killedBy) => settle(killedBy ?? `exit code ${code}`));
    child.send(call as object);
  });
}

/** The counterpart in the child: runs the one call that it is sent, and ends with its parent. */
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
