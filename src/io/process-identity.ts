import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";

/**
 * Identifies a process, so that another process of the same machine can tell whether it still runs.
 */
export interface ProcessIdentity {
  /** Digest of the ID of the boot: differs between machines, and after each start of a machine. */
  boot: string;
  /** PID namespace. Containers have their own, and process IDs are only comparable within one. */
  namespace: string;
  pid: number;
  /** Start time in ticks since the boot, because process IDs are reused. */
  startTicks: string;
}

function startTicksOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // Field 2 is the command in parentheses, which may contain any character; field 22 is the start
  // time.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function machineIdentity(): Pick<ProcessIdentity, "boot" | "namespace"> {
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  return {
    // Leases are read by others than this machine, and to compare boots a digest is enough.
    boot: createHash("sha256").update(`holdfast\n${boot}`).digest("hex").slice(0, 32),
    namespace: readlinkSync("/proc/self/ns/pid"),
  };
}

/** Returns the identity of this process, or undefined on a system without /proc. */
export function ownProcess(): ProcessIdentity | undefined {
  try {
    return { ...machineIdentity(), pid: process.pid, startTicks: startTicksOf(process.pid) };
  } catch {
    return undefined;
  }
}

/**
 * Whether a process has certainly ended: it ran on this machine and in this PID namespace, and does
 * not exist any more.
 */
export function hasEnded(other: ProcessIdentity): boolean {
  try {
    const { boot, namespace } = machineIdentity();
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
