import type { RunKind } from "../../policy/policy.js";

/** What a run did at one destination. */
export interface RunStep {
  kind: "backup" | "copy" | "retention" | "verify" | "restore-test";
  /** URI without credentials. */
  destination: string;
  /** Operation that did the work. Absent: none was started. */
  operation?: string;
  backupName?: string;
  durationMicros: number;
  /** Bytes written to the destination, or removed from it. */
  bytes: number;
  removedBackups: string[];
  /** Oldest first. */
  copiedBackups?: string[];
  error?: { reason: string; message: string };
  warnings: string[];
}

/** Why a run started. MISSED: the host was down at its time. CONTINUOUS: after a write. */
export type RunReason = "SCHEDULED" | "MISSED" | "RETRY" | "REQUESTED" | "CONTINUOUS";

/** A run of a policy. */
export interface PolicyRun {
  id: string;
  policy: string;
  kind: RunKind;
  reason: RunReason;
  /** INTERRUPTED: the host stopped before the run ended. */
  state: "RUNNING" | "SUCCEEDED" | "FAILED" | "INTERRUPTED";
  /** Microseconds since 1970. */
  startTimeMicros: number;
  /** 0 while the run is under way. */
  endTimeMicros: number;
  steps: RunStep[];
}

/** Returns the first error of a run. */
export function errorOf({ steps }: Pick<PolicyRun, "steps">): RunStep["error"] {
  return steps.find(({ error }) => error !== undefined)?.error;
}
