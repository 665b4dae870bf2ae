/** Every bound of the host in one place, and why it has that value. Sizes in bytes, times in milliseconds unless named otherwise. */

const KiB = 1024;
const MiB = 1024 * KiB;

export const limits = {
  /** One document as JSON text. gRPC messages carry it with 4 MiB to spare. */
  documentBytes: 16 * MiB,
  grpcMessageBytes: 20 * MiB,
  /** Connect's messages may be JSON, where bytes take a third more. */
  connectMessageBytes: 24 * MiB,
  /** A management request is a few short strings. */
  managementBodyBytes: 64 * KiB,
  selfLinkBytes: 1024,
  /** JSON deeper than this is refused: parsers recurse. */
  jsonDepth: 200,

  /** One transaction of the writer: more gains no rate (measured) and only adds latency. */
  writeBatch: 256,
  /** Bytes of bodies in one write batch, so that a queue of large documents does not become one huge message. */
  writeBatchBytes: 4 * MiB,
  /** Writes that wait for the writer, and the bytes they hold; beyond either, a write is refused as UNAVAILABLE. */
  writeQueue: 8192,
  writeQueueBytes: 256 * MiB,
  readQueue: 8192,

  /** Rows and bytes of bodies in one chunk of a scan: bounds memory and how long one statement runs. */
  scanRows: 1000,
  scanBytes: 1 * MiB,
  /** Time range rows of one filtered scan statement. */
  filterScanRows: 20_000,
  pageRows: 1000,
  pageRowsMax: 10_000,
  pageBytes: 8 * MiB,
  filterTerms: 100,
  filterBytes: 16 * KiB,
  /** Requests that one connection may send ahead of their answers. */
  pipelinedRequests: 256,

  /** Rows that one export statement copies into a segment; each is a short transaction of its own. */
  exportRows: 10_000,
  segmentPageBytes: 16 * KiB,
  /** Beyond this many deltas a chain is merged. */
  chainDeltas: 64,
  manifestBytes: 4 * MiB,
  manifestsPerDestination: 10_000,
  /** Bytes read at once when files are copied or hashed. */
  copyChunkBytes: 1 * MiB,

  leaseHeartbeatMs: 2_000,
  /** A lease whose owner was silent this long is taken over. */
  leaseSilentMs: 15_000,
  leaseWaitMs: 600_000,

  operations: 1000,
  runningOperations: 16,
  operationWaitMs: 600_000,

  /** The longest deadline that a call can have: a timer takes no more (24 days). */
  deadlineMs: 2 ** 31 - 1,

  /** SIGTERM: how long requests in flight and a copy under way may take. */
  shutdownMs: 30_000,
  /** SIGTERM: how long connections without a call may take to close; answers on their way to slow clients have that long. */
  quietConnectionMs: 5_000,
  headersTimeoutMs: 20_000,
  /**
   * A body that was not there within the first is cut unless at least the second came of it in that time: a stream may
   * go on for hours, a connection that trickles may not. node:http's own time-out counts from the start of a request.
   */
  requestTimeoutMs: 300_000,
  bodyProgressBytes: 64 * KiB,
  /** How often that is looked at. */
  bodyCheckMs: 10_000,
  connections: 4096,
  headerBytes: 16 * KiB,
  idleConnectionMs: 65_000,
  /** How long a browser may remember that it may ask; it takes no longer than this (2 hours). */
  preflightSeconds: 7200,
  /** How long the rest of a refused body is read and thrown away, so that the refusal reaches its sender. */
  drainMs: 1_000,

  /** Versions of one document that are kept whatever their age. */
  retainedVersions: 10_000,
  historyMs: 24 * 3600 * 1000,
  sweepIntervalMs: 1_000,
  sweepRows: 500,
  /** A log that runs this far ahead of the clock gets a warning. */
  clockAheadWarnMs: 3600 * 1000,
} as const;
