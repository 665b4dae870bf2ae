/** Times of a lease, and a check of its path. Default of each time: as in limits.ts. */
export interface LeaseOptions {
  /** Interval at which the owner renews the lease. */
  heartbeatMs?: number;
  /** Time without renewal after which another process takes over the lease. */
  expiryMs?: number;
  /** How long to wait for the lease before failing with DESTINATION_BUSY. */
  waitMs?: number;
  /**
   * Called before the lease is acquired and whenever it is checked. Throws if the path no longer
   * leads to the same directory.
   */
  guard?: () => Promise<void>;
}

/** Times and sizes of automatic backups. Default of each: as in limits.ts. */
export interface AutoBackupPace {
  /** Interval between the starts of two backups. */
  intervalMs?: number;
  /** Pause before the first retry. */
  retryMs?: number;
  /** Longest pause before a retry. */
  retryMaxMs?: number;
  /** How often an unchanged backup is checked at its destination. */
  checkMs?: number;
  /** Number of deltas from which they are merged. */
  mergeDeltas?: number;
  /** Size of all deltas from which a merge may write a new base. */
  mergeBytes?: number;
}

/** Timeouts of transfers to and from other hosts. Default of each: as in limits.ts. */
export interface TransferOptions {
  /** Time without progress, over all retries, after which a transfer fails. */
  retryTimeoutMs?: number;
  /** Time without traffic after which a request fails. */
  idleTimeoutMs?: number;
  /** Pause before the first retry. */
  backOffMs?: number;
}
