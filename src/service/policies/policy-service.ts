import type { HeartbeatStatus } from "../../notification/heartbeats.js";
import type { Delivery } from "../../notification/delivery.js";
import type { PolicySpec, RunKind } from "../../policy/policy.js";
import type { RetentionRules } from "../../policy/retention.js";
import type { PlannedBackup } from "./plan-retention.js";
import type { PolicyProblem } from "./policy-health.js";
import type { PolicyProgress } from "./policy-progress.js";
import type { PolicyRun } from "./policy-run.js";
import type { StoredPolicy } from "./policy-store.js";

/** A policy with its status. Times in microseconds since 1970. */
export interface PolicyView {
  policy: Omit<StoredPolicy, "origin"> & { origin: StoredPolicy["origin"] | "BUILT_IN" };
  state: "ACTIVE" | "RUNNING" | "RETRYING" | "PAUSED";
  /** Of its destinations, without credentials; the first one is not a copy. */
  uris: string[];
  nowMicros: number;
  /** Empty: the policy does what it promises. */
  problems: PolicyProblem[];
  /** What may be wrong although it does, as text for people. */
  warnings: string[];
  heartbeats: HeartbeatStatus[];
  /** Of its backups. */
  nextRunsMicros: number[];
  /** The next one of each other task, the earliest first. */
  otherRuns: PlannedRun[];
  /** 0: no retry is planned. */
  retryMicros: number;
  progress: PolicyProgress;
  /** COPIED: whether writes are acknowledged before they are copied. */
  degraded: boolean;
}

/** A run that is planned. */
export interface PlannedRun {
  kind: RunKind;
  /** COPY: URI of the copy, without credentials. */
  destination: string;
  timeMicros: number;
}

/** What retention does at one destination. */
export interface PreviewedDestination {
  /** URI without credentials. */
  destination: string;
  /** Newest first. */
  decisions: PlannedBackup[];
  freedBytes: number;
  /** Why the destination cannot be read. */
  problem?: string;
}

/** What a policy would do. */
export interface PolicyPreview {
  destinations: PreviewedDestination[];
  nextRunsMicros: number[];
}

/** A part of the policies, in the order of their names. */
export interface PolicyPage {
  /** Default: all. */
  count?: number;
  /** Name of the policy before the page. Default: none. */
  after?: string | undefined;
}

/** Options of a change. */
export interface ChangeOptions {
  /** Checks the policy and its destinations, and changes nothing. */
  validateOnly?: boolean;
  /** Revision that the policy must have. Default: any. */
  revision?: number | undefined;
}

/**
 * Backup policies, independent of the protocol. Methods throw POLICY_NOT_FOUND for an unknown name, and
 * REQUEST_INVALID with the field in the metadata for an invalid policy.
 */
export interface PolicyService {
  list(page?: PolicyPage): Promise<PolicyView[]>;
  get(name: string): Promise<PolicyView>;
  /** Throws POLICY_EXISTS and the errors of a destination that cannot be used. */
  create(spec: PolicySpec, options?: ChangeOptions): Promise<PolicyView>;
  /** Throws POLICY_CHANGED and POLICY_READ_ONLY. */
  update(spec: PolicySpec, options?: ChangeOptions): Promise<PolicyView>;
  /** Throws POLICY_READ_ONLY. Backups stay. */
  remove(name: string): Promise<void>;
  setPaused(name: string, paused: boolean): Promise<PolicyView>;
  /** Starts a run. Throws POLICY_BUSY. */
  run(name: string, kind: RunKind): PolicyRun;
  preview(
    name: string,
    rules: RetentionRules | undefined,
    signal: AbortSignal,
  ): Promise<PolicyPreview>;
  /** Lists runs, the one under way first, then newest first. Throws PAGE_TOKEN_INVALID. */
  runs(
    name: string,
    pageSize: number,
    afterId?: string,
  ): Promise<{ runs: PolicyRun[]; hasMore: boolean }>;
  deliveries(name: string): Delivery[];
  /** Throws DELIVERY_NOT_FOUND. */
  replayDelivery(id: string): Promise<Delivery>;
  /** Sends a test event to all webhooks of a policy. */
  testNotifications(name: string): Promise<Delivery[]>;
}
