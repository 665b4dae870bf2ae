/** The times of a lease in milliseconds. */
export interface LeaseOptions {
  heartbeatMs?: number;
  /** A lease whose owner was silent this long is taken over. */
  silentMs?: number;
  /** How long to wait for another's lease before giving up with DESTINATION_BUSY. */
  waitMs?: number;
  /** Asked before the lease is taken, each time, and whenever it must be held: throws where its path has come to mean another place. */
  guard?: () => Promise<void>;
}
