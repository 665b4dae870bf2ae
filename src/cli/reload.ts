import { statSync } from "node:fs";
import { HostError } from "../errors.js";
import { errnoOf } from "../io/file-system.js";
import { limits } from "../limits.js";

export interface ReloadOptions {
  /** The files whose change counts. */
  files: readonly string[];
  /** Reads them anew and takes them, each on its own: one that cannot be used keeps no other back. Throws for the first that cannot. */
  reload(): void;
  log: {
    info(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
}

/**
 * Takes changed token and certificate files without a restart: on SIGHUP, and when one of them changes, which is looked at every
 * limits.reloadCheckMs. What cannot be used is logged, and what was there before stays in force. Returns how to stop.
 */
export function reloadOnChange({ files, reload, log }: ReloadOptions): () => void {
  let seen = stateOf(files);
  const take = (why: string) => {
    seen = stateOf(files);
    try {
      reload();
      log.info({ why }, "tokens and certificates reloaded");
    } catch (thrown) {
      const { reason, message } = HostError.from(thrown);
      log.error(
        { why, reason, problem: message },
        "tokens and certificates cannot be reloaded; those of before stay in force",
      );
    }
  };
  const onSignal = () => take("SIGHUP");
  if (files.length === 0) return () => undefined;
  process.on("SIGHUP", onSignal);
  const timer = setInterval(() => {
    if (stateOf(files) !== seen) take("a file changed");
  }, limits.reloadCheckMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    process.off("SIGHUP", onSignal);
  };
}

/** Of unchanged files the same text. */
function stateOf(files: readonly string[]): string {
  return files
    .map((path) => {
      try {
        // The time of its change cannot be set back, as that of its content can.
        const { ino, size, ctimeNs } = statSync(path, { bigint: true });
        return `${ino} ${size} ${ctimeNs}`;
      } catch (error) {
        return String(errnoOf(error));
      }
    })
    .join(", ");
}
