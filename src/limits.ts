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
  /** The kind and the owner of a version. */
  kindBytes: 1024,
  /** The last update time, in microseconds: in the year 2112. Twice as much is still exact, so that sums and successors are. */
  timeMicros: 2 ** 52 - 1,
  /** JSON deeper than this is refused: parsers recurse. */
  jsonDepth: 200,
  /** Members of all objects in a document, and values of all objects and arrays in it: parsing these takes half a second in the thread for it. */
  jsonMembers: 250_000,
  jsonItems: 2_000_000,
  /** Fields of a binary request that is read on the event loop, in 20 ms; a member of a Struct is four. A document of more is sent as bytes of JSON. */
  requestMembers: 20_000,
  /** The same in JSON, members and values each: a member takes the library 15 microseconds. */
  requestJsonMembers: 6_000,
  /** One text of a request, for example a filter or a token of a page. */
  requestTextBytes: 64 * KiB,
  /** Bytes in base64 of so many characters are taken out of a request's JSON before it is read. */
  detachedChars: 64 * KiB,
  /** A message of a stream as JSON: its base64 is decoded on the event loop, in 70 ms. */
  streamedJsonBytes: 12 * MiB,
  /** Bytes of bodies and messages of requests in flight, of all clients, of one, and of all who showed no known token: bodies take up to three times that. */
  requestBytes: 192 * MiB,
  requestBytesPerClient: 96 * MiB,
  requestBytesOfStrangers: 4 * MiB,
  /** gRPC calls in flight on one connection, which clients wait for; in all, of one client, and of all who showed no known token. Each takes some 10 KiB. */
  callsPerConnection: 100,
  calls: 4096,
  callsPerClient: 1024,
  /** A connection of which so many calls were refused before they began is cut, and so are the strangers of a network, within a second: to refuse one takes 0.1 ms. */
  refusedCalls: 64,
  callsOfStrangers: 256,
  /** Those of them that watch the health of a service. */
  healthWatches: 1000,
  /** Messages of one call that wait for their reader: beyond this no more are read. */
  grpcWaitingBytes: 16 * MiB,
  /** A shorter text is parsed without being counted first. */
  unscannedChars: 16 * KiB,
  /** Characters that are looked at, and bytes that are decoded, in one turn of the event loop: 5 ms. */
  scanTurnChars: 2 * MiB,
  decodeTurnBytes: 1 * MiB,
  /** A longer document is parsed by a thread: so many characters take the event loop 20 ms. */
  inlineBodyChars: 128 * KiB,
  /** What that thread may take: a document of 16 MiB with the most members takes a tenth of it. */
  bodyWorkerMiB: 1024,
  /** A document as a Struct, and a page of such: converted on the event loop at 10 MiB/s. */
  structBytes: 512 * KiB,

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
  /** What a thread that reads may take for short-lived objects: with the 48 MiB of the default, a long scan grows by them (measured). */
  readerYoungMiB: 8,
  /** Rows of one filtered scan statement, at first and at most: more where they are gone through quickly, fewer where not. */
  filterFirstRows: 1024,
  filterScanRows: 20_000,
  /** How long one such statement may take before it is run over fewer rows; over a single row, and sorted, before the query fails. */
  filterStatementMs: 250,
  filterRowMs: 1_000,
  sortedStatementMs: 10_000,
  /** A body of so many bytes takes so long to look into that the time is looked at before. */
  tickBodyBytes: 64 * KiB,
  pageRows: 1000,
  pageRowsMax: 10_000,
  pageBytes: 8 * MiB,
  filterTerms: 100,
  filterBytes: 16 * KiB,
  /** A query task as JSON text, and how deep its clauses may be nested: each level is one of SQL's too. */
  queryBodyBytes: 256 * KiB,
  queryDepth: 50,
  propertyNameBytes: 1024,
  /** Query tasks that are remembered, running or done, and the bytes of their specifications; how long, when they do not say. */
  queryTasks: 10_000,
  queryTaskBytes: 32 * MiB,
  queryTaskMs: 600_000,
  /** Polled queries of which a slice runs at a time; the others wait for theirs, so that they do not hold up other reads. */
  runningQueries: 4,
  /** What a term of a query is taken to cost before it has run: who asks for little comes before who asks for much. */
  queryTermMs: 100,
  /** What a query or a listing that is sent in pieces reads at once: larger pieces are no faster (measured), and are memory. */
  streamedPageBytes: 256 * KiB,
  /** Requests that one connection may send ahead of their answers. */
  pipelinedRequests: 256,

  /** How long the command line waits for the answer of a port that it looks at, and between looks at a connection that is silent. */
  clientProbeMs: 2_000,
  clientPingMs: 15_000,
  /** How often, and how far apart, a watch that was cut is begun again before its operation is left to itself. */
  clientWatchTries: 5,
  clientWatchPauseMs: 1_000,
  /** A comparison that is asked to tell how far it is does so that often, while it has nothing else to tell. */
  diffProgressMs: 500,
  /** Off a terminal, a line of progress comes so often. */
  progressLineMs: 2_000,
  /** How long a stage has to last before it has a rate. */
  progressRateMs: 1_000,

  /** Documents of an import that are being written, and the bytes of them; and how often it says how far it is. */
  importDocuments: 256,
  importBytes: 8 * MiB,
  importReportMs: 1_000,

  /** From another host: one page of an answer, and how long a host may say nothing while it looks for one. */
  importAnswerBytes: 256 * MiB,
  importPatienceMs: 120_000,
  /** Rounds that go after what a host in use has changed meanwhile. */
  importRounds: 20,
  /** How far a round goes back: writes under way become visible a little later than their time says. */
  importOverlapMicros: 10_000_000,

  /** What an export reads ahead of its reader; and how many exports there may be, each of which holds so much. */
  exportPageBytes: 512 * KiB,
  exports: 32,

  /** Rows that one export statement copies into a segment; each is a short transaction of its own. */
  exportRows: 10_000,
  segmentPageBytes: 16 * KiB,
  /** Beyond this many deltas a chain is merged. */
  chainDeltas: 64,
  /** While deltas are merged in the background they may become so many; then a backup merges them itself. */
  chainDeltasMax: 256,
  /** Deltas of about one size after which they are merged in the background, and the bytes of all after which a new base may be made. */
  autoMergeDeltas: 8,
  autoMergeBytes: 4 * MiB,
  /** From the begin of an automatic backup to that of the next: with the length of a run this is what a disaster may take. */
  autoBackupIntervalMs: 500,
  /** How long an automatic backup that failed waits until it is tried again, at first and at most. */
  autoBackupRetryMs: 1_000,
  autoBackupRetryMaxMs: 60_000,
  /** How often an automatic backup that needs nothing written is looked for at its destination. */
  autoBackupCheckMs: 15_000,
  /** Backups of earlier histories beside it, from which on they are warned of. */
  autoBackupOthers: 10,
  manifestBytes: 4 * MiB,
  manifestsPerDestination: 10_000,
  /** All manifests of one destination together: what is kept of them grows with it. A host leaves one for each history. */
  manifestsBytes: 64 * MiB,
  /** The greatest number of a manifest: its name has ten digits, and the next number must have no more. */
  manifestNumber: 999_999_999,
  /** Manifests that the host remembers to have written to one destination, and destinations. */
  writtenManifests: 8,
  writtenDestinations: 1000,
  /** Documents that a restore of some writes at once, how often it looks again at one that changes meanwhile, and how many it names. */
  restoreWrites: 128,
  restoreAttempts: 10,
  restoreSamples: 100,
  /** Backups that are made readable at once, to be compared or exported: each takes as much room as its index. */
  scratchIndexes: 4,
  /** Versions before and after a point in time that a description of it returns. */
  versionsAround: 3,
  /** What a check of a sample reads, in percent. */
  samplePercent: 5,
  /** Problems of an index that a check names. */
  checkProblems: 10,
  /** Links that one pass of a full check holds, 16 bytes and as much again of each: with more rows it takes more passes. */
  chainCheckLinks: 2_000_000,
  /** Outcomes of checks that a host remembers. */
  verifications: 1000,
  /** What a listing of everything below a directory looks at, and how far down. */
  listedFiles: 100_000,
  listedDepth: 16,
  /** Bytes of an archive read at once: its directory is small, and what is read beyond an entry is lost. */
  archiveReadBytes: 128 * KiB,
  /** The directory of any ZIP that is checked: that of half a million entries. */
  zipDirectoryBytes: 64 * MiB,
  /** Bytes read at once when files are copied or hashed. */
  copyChunkBytes: 1 * MiB,
  /** Bytes read at once of manifests and notes, most of which fit into one. */
  smallObjectChunkBytes: 64 * 1024,

  leaseHeartbeatMs: 2_000,
  /** A lease whose owner was silent this long is taken over. */
  leaseSilentMs: 15_000,
  leaseWaitMs: 600_000,

  /** Archives kept for streams: their number, their total size, and how long an unused one is kept. */
  transfers: 32,
  transferBytes: 64 * 1024 * MiB,
  transferLeaseMs: 3600_000,
  transferSweepMs: 5_000,
  /** What an upload may have that is not yet synced, and so has to be sent again after a power failure. */
  transferSyncBytes: 32 * MiB,
  /** Services of /local-files; and what of them is being uploaded, or waits for the rest of it for so long. */
  fileServices: 1000,
  /** Files that are known to have been written through /local-files; those written longest ago are forgotten first. */
  publishedFiles: 10_000,
  /** A path of 4 KiB, each byte of it escaped. */
  fileUriLength: 12 * KiB + 20,
  fileUploads: 64,
  /** Uploads that are checked at a time, each by a process of its own; the others wait. */
  fileChecks: 2,
  fileUploadIdleMs: 3600_000,
  fileSweepMs: 60_000,
  /** An upload on which no request works for this long is left: who then begins another one does not disturb it. */
  fileUploadQuietMs: 15_000,
  /** Requests that send parts of one file at a time, and those that read files; Xenon sends and asks 10 at once. */
  fileRequests: 64,
  fileReads: 128,
  fileReadBytes: 256 * KiB,
  /** What of one request waits while something before it is written. */
  fileQueueBytes: 512 * KiB,
  /** Parts of an upload with gaps between them. */
  fileSpans: 16_384,
  /** What of an upload waits to be written while more comes. */
  uploadQueueBytes: 8 * MiB,
  /** Left free on the disk of the index, whatever is sent. */
  reservedBytes: 256 * MiB,
  /** A piece of a streamed archive: by default, and at most. */
  chunkBytes: 1 * MiB,
  chunkBytesMax: 8 * MiB,
  /** What of one stream waits for its reader. */
  streamBufferBytes: 2 * MiB,
  /** A stream whose other end sends or takes nothing for so long is ended. */
  streamIdleMs: 120_000,
  /** Archives that are sent at a time; each holds a few chunks for its reader. */
  streams: 32,
  /** Manifests of backups that were streamed, to go on from. */
  streamedManifests: 1000,

  /** To and from other web servers: work that gets nowhere for this long is given up, however often it was tried again. */
  remotePatienceMs: 30_000,
  /** Nothing moved on a request for this long: it is tried again, once within the patience. */
  remoteSilenceMs: 15_000,
  /** How often we tell who asked for it that a request is still worked on; and how often we take that for movement: for an hour. */
  processingMs: 3_000,
  remoteNotices: 1_200,
  remoteBackOffMs: 100,
  remoteBackOffMaxMs: 5_000,
  /** Less than this is not getting on: a source that drips is given up too. */
  remoteProgressBytes: 64 * KiB,
  /** Chunks of an upload and ranges of a download: small ones for small archives, so that several are under way. */
  remoteChunkMin: 512 * KiB,
  remoteChunkMax: 8 * MiB,
  /** Requests to one of them at a time. */
  remoteRequests: 4,
  /** Read from a file and sent at once; each request under way has one such buffer. */
  remoteBufferBytes: 256 * KiB,
  /** Bytes read of an unwanted response body, so that its connection can be reused: Xenon echoes chunks. */
  remoteDrainBytes: 9 * MiB,
  /** Sources that are fetched at a time; each takes disk. */
  remoteSources: 16,
  /** Left free on the disk of the indexes when a source does not say how large it is. */
  remoteReserveBytes: 64 * MiB,
  /** After so many bytes, whoever writes what came from outside looks whether the reserve is still free. */
  roomCheckBytes: 4 * MiB,
  /** A source must send remoteProgressBytes in this time: one that trickles keeps what waits for it from going on. */
  remoteSlowMs: 60_000,

  /** Indexes and destinations of which is kept how backups went last; each has series of its own in the metrics. */
  backupRecords: 100,
  backupRecordBytes: 4 * MiB,
  /** What an error of a backup may take in its record. */
  backupErrorLength: 2000,
  /** Automatic backups come all the time: how long what became of them may wait to be written down. */
  backupRecordsWriteMs: 10_000,
  /** How often is looked whether the newest backup has become too old. */
  backupAgeCheckMs: 1_000,

  operations: 1000,
  runningOperations: 16,
  /** What one token may have of what all share: operations, services of /local-files, query tasks and their bytes. One of each is kept for admins. */
  operationsPerClient: 8,
  fileServicesPerClient: 500,
  queryTasksPerClient: 5_000,
  queryTaskBytesPerClient: 16 * MiB,
  operationWaitMs: 600_000,
  /** How often a watched operation is looked at. */
  operationWatchMs: 100,

  /** The longest deadline that a call can have: a timer takes no more (24 days). */
  deadlineMs: 2 ** 31 - 1,

  /** How long a line of the log waits for a reader that is behind; then lines are dropped, and none waits. */
  logWaitMs: 50,
  /** SIGTERM: how long requests in flight and a copy under way may take. */
  shutdownMs: 30_000,
  /** How often the files of tokens and certificates are looked at for changes. */
  reloadCheckMs: 5_000,
  /** After that, what still holds the process ends it: a stop takes a bounded time whatever the disks do. */
  shutdownGraceMs: 5_000,
  /** SIGTERM: how long connections without a call may take to close; answers on their way to slow clients have that long. */
  quietConnectionMs: 5_000,
  /** How often the delay of the event loop is looked at: what is shorter is not seen. */
  eventLoopResolutionMs: 20,
  headersTimeoutMs: 20_000,
  /**
   * A body that was not there within the first is cut unless at least the second came of it in that time: a stream may
   * go on for hours, a connection that trickles may not. node:http's own time-out counts from the start of a request.
   */
  requestTimeoutMs: 300_000,
  bodyProgressBytes: 64 * KiB,
  /** How often that is looked at. */
  bodyCheckMs: 10_000,
  /** Of one port, unless the process may open fewer files: half for connections without a known token, a quarter for such of one address. */
  connections: 4096,
  /** A connection on which no request with a known token came is closed after so long without a request; how often that is looked at. */
  silentConnectionMs: 10_000,
  connectionCheckMs: 1_000,
  /** A gRPC connection that nothing answers on is looked for with pings so often, and given up after so long without an answer. */
  grpcPingMs: 60_000,
  grpcPingTimeoutMs: 20_000,
  /** Unknown tokens of one address within a time, after which answers to them wait: twice as long for each, up to a bound. */
  failedLogins: 10,
  failedLoginsMs: 60_000,
  failedLoginDelayMs: 10,
  failedLoginDelayMaxMs: 5_000,
  failedLoginAddresses: 10_000,
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
  /** Requests that operation tracing keeps, for how long, and how many of them may wait to be written. */
  tracedOperations: 10_000,
  tracedAgeMicros: 24 * 3600 * 1_000_000,
  tracedQueue: 1000,
  /** A second SIGINT so soon after the first is the same Ctrl-C, sent on by a parent process. */
  sameSignalMs: 500,
  /** A token file, a certificate, a key. */
  secretFileBytes: MiB,
  /** Histories that one remembers to come after; each restore and each undo adds one or two. */
  lineageParents: 1000,
  /** The audit log: the size of a file, how many there are, the lines that may wait, and how often they are made durable. */
  auditFileBytes: 16 * MiB,
  auditFiles: 8,
  /** Of refused requests. */
  auditRefusedFiles: 2,
  auditQueue: 10_000,
  auditSyncMs: 1_000,
  /** Refused requests that are written down one by one in a minute; of more, their number. */
  auditRefusalsPerMinute: 60,
  /** What a line says of what was asked for; in Xenon's dialect that is a path. */
  auditActionChars: 200,
  /** What a line says of the thing something was done to. */
  auditSubjectChars: 2_000,
  /** A log that runs this far ahead of the clock gets a warning. */
  clockAheadWarnMs: 3600 * 1000,
  /** How often that is looked at. */
  clockCheckMs: 10_000,
  /** A time that the command line shows may be so far ahead of its own clock before it says so: clocks of two machines differ. */
  clockSkewMs: 60_000,
} as const;
