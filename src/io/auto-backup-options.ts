/** The pace of automatic backups; what is absent is as in limits.ts. */
export interface AutoBackupPace {
  intervalMs?: number;
  retryMs?: number;
  retryMaxMs?: number;
  checkMs?: number;
  /** After how many deltas, and beyond how many bytes of them, a chain is merged. */
  mergeDeltas?: number;
  mergeBytes?: number;
}
