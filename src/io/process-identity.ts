import { readFileSync, readlinkSync } from "node:fs";

/** Names one process of one running machine, so that another process there can tell whether it still lives. */
export interface ProcessIdentity {
  /** Differs after each start of the machine, and between machines. */
  boot: string;
  /** Process ids mean something within one of these only: containers have their own. */
  namespace: string;
  pid: number;
  /** When it was started, in ticks since the boot: process ids are used again. */
  startTicks: string;
}

function startTicksOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The second field is the command in parentheses, which may hold anything; the 22nd is the start.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function surroundings(): Pick<ProcessIdentity, "boot" | "namespace"> {
  return {
    boot: readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim(),
    namespace: readlinkSync("/proc/self/ns/pid"),
  };
}

/** This process; undefined where the system has no /proc to tell. */
export function ownProcess(): ProcessIdentity | undefined {
  try {
    return { ...surroundings(), pid: process.pid, startTicks: startTicksOf(process.pid) };
  } catch {
    return undefined;
  }
}

/** True only where it is certain: same machine, same namespace, and no such process any more. */
export function isGone(other: ProcessIdentity): boolean {
  try {
    const { boot, namespace } = surroundings();
    if (boot !== other.boot || namespace !== other.namespace || !Number.isInteger(other.pid))
      return false;
  } catch {
    return false;
  }
  try {
    return startTicksOf(other.pid) !== other.startTicks;
  } catch (error) {
    return (
      typeof error === "object" &&
      error !== null &&
      "code" in error &&
      (error.code === "ENOENT" || error.code === "ESRCH")
    );
  }
}
