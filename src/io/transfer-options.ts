/** How long the other end of a transfer is waited for, in milliseconds. */
export interface TransferOptions {
  /** How long it is tried again without getting on. */
  patienceMs?: number;
  /** A request on which nothing moves for this long has failed. */
  silenceMs?: number;
  /** The first pause between two tries; the next ones are longer. */
  backOffMs?: number;
}
