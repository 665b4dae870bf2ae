import { statSync } from "node:fs";
import { HostError } from "../errors.js";
import { errnoOf } from "../io/file-system.js";
import { limits } from "../limits.js";

/** What to reload, and when. */
export interface ReloadOptions {
  /** Files whose change triggers a reload. */
  files: readonly string[];
  /**
   * Reads and applies the files. An unusable file must not prevent the others from being applied;
   * the error of the first one is thrown.
   */
  reload(): void;
  log: {
    info(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
}

/**
 * Reloads token and certificate files without a restart: on SIGHUP, and when one of them changes,
 * checked every limits.reloadCheckMs. Logs an unusable file, in which case the previous content
 * remains in effect. Returns a function that stops reloading. Does nothing if `files` is empty.
 */
export function reloadOnChange({ files, reload, log }: ReloadOptions): () => void {
  let lastState = stateOf(files);
  const apply = (trigger: string) => {
    lastState = stateOf(files);
    try {
      reload();
      log.info({ why: trigger }, "tokens and certificates reloaded");
    } catch (thrown) {
      const { reason, message } = HostError.from(thrown);
      log.error(
        { why: trigger, reason, problem: message },
        "cannot reload tokens and certificates; keeping the previous ones",
      );
    }
  };
  const onSignal = () => apply("SIGHUP");
  if (files.length === 0) return () => undefined;
  process.on("SIGHUP", onSignal);
  const timer = setInterval(() => {
    if (stateOf(files) !== lastState) apply("a file changed");
  }, limits.reloadCheckMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    process.off("SIGHUP", onSignal);
  };
}

/** Returns a text that changes whenever one of the files does. */
function stateOf(files: readonly string[]): string {
  return files
    .map((path) => {
      try {
        // Unlike mtime, ctime cannot be set back.
        const { ino, size, ctimeNs } = statSync(path, { bigint: true });
        return `${ino} ${size} ${ctimeNs}`;
      } catch (error) {
        return String(errnoOf(error));
      }
    })
    .join(", ");
}
