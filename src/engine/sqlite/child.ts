import { fork } from "node:child_process";
import { HostError } from "../../errors.js";
import { entryPath } from "../../io/entry.js";
import type { BuildResult } from "../engine.js";
import type { BuildCall, BuildReply } from "./build-process.js";

/** Runs one call in a process of its own, which is killed when the signal aborts. */
export function runInChild(
  call: BuildCall,
  options: { temporaryDirectory: string; signal: AbortSignal; onProgress?: (stage: string, rows: number) => void },
): Promise<BuildResult | null> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(HostError.from(signal.reason));
    const child = fork(entryPath("engine/sqlite/build-process"), [], {
      // The sorter of CREATE INDEX spills into files: they go where the index goes, not into a small /tmp.
      env: { PATH: process.env["PATH"], SQLITE_TMPDIR: options.temporaryDirectory },
      execArgv: ["--max-old-space-size=96"],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    let outcome: BuildReply | undefined;
    const abort = () => child.kill("SIGKILL");
    signal.addEventListener("abort", abort, { once: true });
    child.on("message", (reply: BuildReply) => {
      if ("progress" in reply) options.onProgress?.(reply.progress.stage, reply.progress.rows);
      else outcome = reply;
    });
    const settle = (ended: string) => {
      signal.removeEventListener("abort", abort);
      if (signal.aborted) return reject(HostError.from(signal.reason));
      if (outcome && "result" in outcome) return resolve(outcome.result);
      if (outcome && "error" in outcome) return reject(HostError.fromRecord(outcome.error));
      reject(new HostError("INTERNAL", `The process that reads the backup ended before it was done (${ended}); nothing was changed.`));
    };
    child.once("error", (error) => settle(error.message));
    child.once("close", (code, killedBy) => settle(killedBy ?? `exit code ${code}`));
    child.send(call);
  });
}
