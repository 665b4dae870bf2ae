/**
 * Every bound of Holdfast, with its reason. Sizes are in bytes and times in milliseconds, unless
 * the name ends in another unit. A name without a unit is a count.
 */

const KiB = 1024;
const MiB = 1024 * KiB;

/** The limits, grouped by what they bound. */
export const limits = {
  // Documents and messages

  /** A document as JSON text. A gRPC message can carry one and has 4 MiB to spare. */
  documentBytes: 16 * MiB,
  /** A gRPC message. */
  grpcMessageBytes: 20 * MiB,
  /** A Connect message. It may be JSON, where base64 makes bytes a third larger. */
  connectMessageBytes: 24 * MiB,
  /** The body of a management request, which consists of a few short strings. */
  managementBodyBytes: 64 * KiB,
  /** A self link. */
  selfLinkBytes: 1024,
  /** The kind of a version, and its owner. */
  kindBytes: 1024,
  /**
   * The last update time, in the year 2112. Twice this value is still an exact number, so that sums
   * are exact.
   */
  maxTimeMicros: 2 ** 52 - 1,

  // JSON and request parsing

  /** Nesting of a JSON text, because parsers recurse. */
  jsonDepth: 200,
  /** Members of all objects of a document. A thread parses this many in half a second. */
  jsonMembers: 250_000,
  /** Values of all objects and arrays of a document. A thread parses this many in half a second. */
  jsonItems: 2_000_000,
  /**
   * Fields of a binary request, which the event loop reads in 20 ms. A member of a Struct counts as
   * four.
   */
  requestMembers: 20_000,
  /** Members of a JSON request, and its values: the protobuf library takes 15 µs for each. */
  requestJsonMembers: 6_000,
  /** One string of a request, for example a filter or a page token. */
  requestTextBytes: 64 * KiB,
  /**
   * Length of a base64 string from which it is removed from a JSON request before parsing and
   * decoded in slices.
   */
  detachedStringChars: 64 * KiB,
  /** A message of a JSON stream. The event loop decodes its base64 in 70 ms. */
  streamedJsonBytes: 12 * MiB,
  /** A JSON text up to this length is parsed without counting its members first. */
  uncheckedJsonChars: 16 * KiB,
  /** Characters that are scanned before yielding to the event loop: 5 ms of work. */
  scanSliceChars: 2 * MiB,
  /** Bytes that are decoded before yielding to the event loop: 5 ms of work. */
  decodeSliceBytes: 1 * MiB,
  /**
   * A document up to this length is parsed on the event loop, in at most 20 ms; a longer one by a
   * thread.
   */
  inlineBodyChars: 128 * KiB,
  /** Heap of the thread that parses documents: ten times what the most complex document takes. */
  bodyWorkerHeapMiB: 1024,
  /** A document, or a page of documents, as a Struct: the event loop converts 10 MiB/s. */
  structBytes: 512 * KiB,

  // Requests in flight

  /** Bodies and messages of all requests in flight. They take up to three times as much memory. */
  requestBytes: 192 * MiB,
  /** Memory of answers with large documents on /v1, Connect and gRPC, until they are sent. */
  answerBytes: 512 * MiB,
  /** The part of it that one client may hold. */
  answerBytesPerClient: 256 * MiB,
  /** How often such an answer is in memory: as text, as bytes, and as base64 or a frame. */
  answerCopies: 3,
  /** The same of one client. */
  requestBytesPerClient: 96 * MiB,
  /** The same of all unauthenticated clients together. */
  unauthenticatedRequestBytes: 4 * MiB,
  /** gRPC calls in flight on one connection. The client library queues further calls. */
  callsPerConnection: 100,
  /** gRPC calls in flight of all clients. Each takes about 10 KiB. */
  calls: 4096,
  /** gRPC calls in flight of one client. */
  callsPerClient: 1024,
  /** gRPC calls in flight of all unauthenticated clients together. */
  unauthenticatedCalls: 256,
  /**
   * Calls rejected before they start, of one connection or, per second, of all unauthenticated
   * connections of one network. Beyond it, the host closes the connection: a rejection takes 0.1 ms.
   */
  refusedCalls: 64,
  /** gRPC calls that watch the health of a service. */
  healthWatches: 1000,
  /**
   * Received messages of one gRPC call that its handler has not read yet. At this size the host
   * stops receiving.
   */
  grpcQueuedBytes: 16 * MiB,
  /** HTTP requests that a connection may send before their responses. */
  pipelinedRequests: 256,

  // Writes

  /** Writes in one transaction. Larger ones add latency and no throughput (measured). */
  writeBatch: 256,
  /**
   * Bodies in one transaction, so that large documents do not add up to a huge message to the
   * thread.
   */
  writeBatchBytes: 4 * MiB,
  /** Queued writes. Further writes fail with UNAVAILABLE. */
  writeQueue: 8192,
  /** Size of the queued writes. Further writes fail with UNAVAILABLE. */
  writeQueueBytes: 256 * MiB,

  // Reads and queries

  /** Queued reads. Further reads fail with UNAVAILABLE. */
  readQueue: 8192,
  /** Latest versions of documents that the host keeps in memory, with the text that answers have. */
  documentCacheBytes: 64 * MiB,
  /** The largest of them. */
  cachedDocumentBytes: 512 * KiB,
  /** Rows in one chunk of a scan, which bounds the duration of a statement. */
  scanRows: 1000,
  /** Bodies in one chunk of a scan, which bounds memory. */
  scanBytes: 1 * MiB,
  /**
   * Young generation of a reader thread. With Node's default of 48 MiB, a long scan takes that much
   * more memory (measured).
   */
  readerYoungGenerationMiB: 8,
  /**
   * Young generation of a thread that copies or checks rows. The buffers of rows are freed with it: with Node's default,
   * four threads took 170 MiB in place of 85, as fast (measured).
   */
  checkYoungGenerationMiB: 2,
  /**
   * Rows of the first statement of a filtered scan. Later statements adapt to the speed of the
   * filter.
   */
  filterFirstRows: 1024,
  /** Rows of any statement of a filtered scan. */
  filterScanRows: 20_000,
  /** Duration of one such statement. It is repeated with fewer rows when it takes longer. */
  filterStatementMs: 250,
  /** Duration of a filter on one row. The query fails when it takes longer. */
  filterRowMs: 1_000,
  /** Duration of a sorted query. The query fails when it takes longer. */
  sortedStatementMs: 10_000,
  /** The deadline of a statement is checked before a filter reads a body of at least this size. */
  deadlineCheckBodyBytes: 64 * KiB,
  /** Default size of a page, in documents. */
  pageRows: 1000,
  /** Largest size of a page, in documents. */
  pageRowsMax: 10_000,
  /** Bodies of one page. */
  pageBytes: 8 * MiB,
  /** Terms of a filter. */
  filterTerms: 100,
  /** A filter as text. */
  filterBytes: 16 * KiB,
  /** A query task as JSON text. */
  queryBodyBytes: 256 * KiB,
  /** Nesting of the clauses of a query. Each level is a level of the SQL expression. */
  queryDepth: 50,
  /** A property name in a query. */
  propertyNameBytes: 1024,
  /** Query tasks that the host keeps, running or finished. */
  queryTasks: 10_000,
  /** Specifications of all query tasks. */
  queryTaskBytes: 32 * MiB,
  /** Default time after which the host forgets a query task. */
  queryTaskExpiryMs: 600_000,
  /**
   * Polled queries that run at the same time. Others wait, so that queries do not delay other
   * reads.
   */
  runningQueries: 4,
  /**
   * Estimated cost of a query per term before its first run. The scheduler prefers cheap queries.
   */
  queryTermCostMs: 100,
  /**
   * Documents that a streamed query or listing reads at a time. Larger reads are not faster
   * (measured).
   */
  streamedPageBytes: 256 * KiB,

  // Command line

  /** How long the command line waits for an answer when it probes a port. */
  clientProbeMs: 2_000,
  /** Interval of the pings on a silent connection of the command line. */
  clientPingMs: 15_000,
  /**
   * How often the command line resumes an interrupted watch before it stops following the
   * operation.
   */
  clientWatchRetries: 5,
  /** Pause before the command line resumes a watch. */
  clientWatchRetryMs: 1_000,
  /** How often the command line asks for the state of a run of a policy: most runs take seconds. */
  policyRunPollMs: 500,
  /** Interval of progress lines when the output is not a terminal. */
  progressLineMs: 2_000,
  /** Duration of a stage before its progress includes a rate. */
  progressRateMs: 1_000,
  /** Difference between the clocks of two machines up to which the command line does not warn. */
  clockSkewMs: 60_000,
  /** A second SIGINT within this time is the same Ctrl-C, forwarded by a parent process. */
  duplicateSignalMs: 500,

  // Import and export

  /** Documents of one import that are being written. */
  importDocuments: 256,
  /** Bodies of one import that are being written. */
  importBytes: 8 * MiB,
  /** Interval of the progress messages of an import. */
  importProgressMs: 1_000,
  /** A page that an import reads from another host. */
  importAnswerBytes: 256 * MiB,
  /** How long an import waits for another host that sends nothing while it looks for documents. */
  importIdleTimeoutMs: 120_000,
  /** Passes of an import that catch up with changes on a host in use. */
  importRounds: 20,
  /** Overlap of two passes: a write becomes visible a little later than its update time. */
  importOverlapMicros: 10_000_000,
  /** Documents that an export reads ahead of its client. */
  exportPageBytes: 512 * KiB,
  /** Exports at the same time. Each keeps exportPageBytes in memory. */
  exports: 32,
  /** Interval of the progress messages of a comparison that has found no further difference. */
  diffProgressMs: 500,

  // Activity

  /** Buckets of one answer. */
  activityBuckets: 2_000,
  activityDefault: 100,
  /** Versions that an answer counts one by one; of more, only whole minutes are counted. */
  activityVersions: 200_000,
  /** Versions that one statement counts when the counts of an index are made anew. */
  activityRows: 50_000,

  /** Console: one of its files. */
  consoleFileBytes: 1 * MiB,

  // Backups

  /** Rows that one statement copies into a segment, in a short transaction of its own. */
  exportRows: 10_000,
  /** Page size of a segment. */
  segmentPageBytes: 16 * KiB,
  /** Deltas of a chain. A longer chain is merged by the next backup. */
  chainDeltas: 64,
  /**
   * Deltas of a chain that is merged in the background. A longer chain is merged by the next
   * backup.
   */
  chainDeltasMax: 256,
  /** Deltas of about the same size that are merged in the background. */
  autoMergeDeltas: 8,
  /** Size of all deltas from which a merge may write a new base. */
  autoMergeBytes: 4 * MiB,
  /**
   * Interval between the starts of automatic backups. With the duration of a run, this is what a
   * disaster may lose.
   */
  autoBackupIntervalMs: 500,
  /** Pause before the first retry of an automatic backup. */
  autoBackupRetryMs: 1_000,
  /** Longest pause before a retry of an automatic backup. */
  autoBackupRetryMaxMs: 60_000,
  /** How often the host checks that an unchanged automatic backup is still at its destination. */
  autoBackupCheckMs: 15_000,
  /**
   * Backups of earlier lineages at the destination of an automatic backup from which the host warns
   * of them.
   */
  autoBackupOtherLineages: 10,
  /** A manifest. */
  manifestBytes: 4 * MiB,
  /** Backups at one destination. No backup is added to a destination that has as many. */
  manifestsPerDestination: 10_000,
  /**
   * Manifests that are read at one destination: more than any backup leaves, so that they can be listed
   * and pruned.
   */
  manifestsRead: 20_000,
  /**
   * All manifests of one destination, which the host keeps in memory, with each segment counted once. 10,000
   * backups with chains of 64 deltas take about 40 MiB.
   */
  manifestsBytes: 64 * MiB,
  /** Manifests that are read at the same time. A store far away responds to each after a while. */
  manifestReads: 8,
  /**
   * Greatest number of a manifest. Its name has ten digits, and so must the name of the next one.
   */
  maxManifestNumber: 999_999_999,
  /** Manifests per destination that the host records as its own. */
  writtenManifests: 8,
  /** Destinations for which the host records its own manifests. */
  writtenDestinations: 1000,

  // Backup policies

  /** Policies of a host. */
  policies: 1000,
  /** The file of all policies, and that of their progress: about 16 KiB for each policy. */
  policyFileBytes: 16 * MiB,
  /** Runs of one policy that the host remembers. */
  policyRuns: 1000,
  /** The file of these runs. */
  policyHistoryBytes: 32 * MiB,
  /** Backups that one remembered run names. */
  policyRunNames: 100,
  /** Runs of different policies at the same time. Each may read and write at the speed of the disk. */
  concurrentPolicyRuns: 2,
  /** Shortest interval of a policy, the resolution of cron. Continuous backup covers shorter ones. */
  policyIntervalMinMs: 60_000,
  /** Longest interval of a policy: a backup once a year, in leap years too. */
  policyIntervalMaxMs: 366 * 86_400_000,
  /** A cron expression. Its parser is not given a longer one: the longest useful list has 200. */
  cronExpressionChars: 256,
  /** Name of a time zone. The longest name in the IANA database has 32 characters. */
  timeZoneChars: 64,
  /** Planned runs that one call returns. Each takes the cron parser up to 20 ms. */
  plannedRuns: 100,
  /** Longest random delay of a run. */
  policyJitterMaxMs: 86_400_000,
  /** Pause before the first retry of a run. */
  policyRetryMs: 60_000,
  /** Longest pause before a retry of a run. */
  policyRetryMaxMs: 3_600_000,
  /** Problems of policies that the health of the host states. */
  healthProblems: 5,
  /** How often the health of policies is checked without a run. */
  policyHealthMs: 30_000,
  /** How long a write waits until it is copied, before the destination counts as unreachable. */
  copiedWaitMs: 10_000,
  /** How often the progress of continuous policies is written. */
  policyProgressMs: 10_000,
  /** The check of all destinations of a new policy. */
  policyProbeMs: 60_000,
  /** Next runs that a policy shows. */
  policyNextRuns: 5,
  /** Policies that a listing describes before other requests have their turn: about 1 ms each. */
  policyViewsPerTurn: 20,
  /** Backups that one rule of a retention keeps: as many as a destination has manifests. */
  retentionKeepMax: 10_000,
  /** A duration as text, which has at most seven units with twelve digits each. */
  durationChars: 100,
  /** A duration: 100 years. Any time of Holdfast and such a duration add up to an exact number. */
  durationMaxMs: 100 * 365 * 86_400_000,
  /** The result of a verification, or a pin, beside a backup. */
  noteBytes: 16 * KiB,
  /** Warnings of a policy about others at its destinations. */
  policyWarnings: 10,
  /** PostgreSQL: connections of a host for short reads, and for listings and queries. */
  databaseReaders: 4,
  databaseScanners: 2,
  /** Time to connect to one address, to a result of a short statement, and until an idle connection is probed. */
  databaseConnectMs: 5_000,
  databaseDeadlineMs: 30_000,
  /** PostgreSQL: how long the end of a connection is waited for. */
  databaseHangUpMs: 1_000,
  databaseKeepAliveMs: 10_000,
  /** PostgreSQL: documents that one statement reads. */
  databaseReadBatch: 64,
  /** PostgreSQL: prepared statements that an index remembers. */
  databaseStatements: 64,
  /** How often a read is repeated after a lost connection or a switch of the generation. */
  databaseReadAttempts: 3,
  /** How long a write is repeated after conflicts and lost connections, and the longest pause between. */
  databaseRetryMs: 30_000,
  databaseRetryMaxMs: 1_000,
  /** How long a transaction waits for a lock, and how long the server waits for a host that vanished. */
  databaseLockMs: 10_000,
  databaseIdleMs: 10_000,
  /** How long the lease and the fence of a host outlive it, and how often it renews its lease. */
  databaseLeaseMs: 10_000,
  databaseBeatMs: 2_000,
  /**
   * Time until a host that leads opens its services again after it could not, how often it tries, and for how long it
   * then leaves the lead to others.
   */
  leaderRetryMs: 1_000,
  leaderAttempts: 3,
  leaderStandBackMs: 30_000,
  /** How long a host that vanished is shown, and how many hosts are. */
  databaseMemberMs: 3_600_000,
  databaseMembers: 100,
  /** How often the leader looks for writes of other hosts, which continuous backups follow. */
  databaseWatchMs: 200,
  /** How long a pin outlives a host that vanished; a host renews its pins three times as often. */
  databasePinMs: 30_000,
  /** The reason of a pin. */
  pinReasonChars: 1024,
  /**
   * A segment that the host compresses itself, in the threads of the library. A larger one is compressed by
   * a process of its own, which takes 100 ms to start.
   */
  encodedInProcessBytes: 4 * MiB,
  /** Backups that the result of a copy names. */
  copiedNames: 1000,
  /** Segments that one page of a listing of backups describes, besides those of its first backup: about 2.5 MiB. */
  listedSegments: 8000,
  /** Listings of backups that are kept for their next pages. Each takes up to 20 MiB. */
  keptListings: 4,
  /** How long a listing is kept for its next page. */
  keptListingMs: 60_000,
  /** How long the scheduler sleeps at most, so that it soon notices a clock that was changed. */
  schedulerTickMs: 60_000,
  /**
   * How far the clock may be set back while the scheduler still waits for times that it has not run
   * yet. Corrections by NTP are smaller; after a larger one, waiting would leave a policy without
   * backups.
   */
  clockJumpMs: 300_000,

  // Notifications

  /** Deliveries that the host remembers. */
  deliveries: 1000,
  /** The file of these deliveries. */
  deliveriesBytes: 16 * MiB,
  /** Delay before results of attempts are written. After a crash, such a delivery is sent again. */
  deliveriesWriteMs: 1_000,
  /** Why an attempt failed, as a delivery states it. */
  deliveryErrorChars: 500,
  /** The text of a notification. */
  notificationChars: 4000,
  /** Further fields of a notification. */
  notificationDetails: 32,
  /** A name or a further field of a notification. */
  notificationFieldChars: 1024,
  /**
   * The body of a notification, which Standard Webhooks recommends to keep below 20 kB. A larger one is
   * sent without its further fields.
   */
  notificationBytes: 20 * KiB,
  /** URL of a webhook or a heartbeat. */
  notificationUrlChars: 2048,
  /** Signing key of a webhook, by Standard Webhooks. */
  webhookKeyBytesMin: 24,
  webhookKeyBytesMax: 64,
  /** Deliveries to different URLs at the same time. */
  concurrentDeliveries: 4,
  /** An attempt of a delivery, from the connection to the end of the answer. */
  deliveryTimeoutMs: 15_000,
  /** Of an answer that is read; a connection with more is closed. */
  deliveryAnswerBytes: 64 * KiB,
  /** Pauses before the attempts after the first, as Standard Webhooks recommends. */
  deliveryRetriesMs: [
    5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000,
    86_400_000,
  ],
  /** Random extension of such a pause in percent, so that deliveries that failed together spread out. */
  deliveryJitterPercent: 20,
  /** Longest Retry-After that a delivery honours. */
  deliveryRetryAfterMaxMs: 86_400_000,
  /** Heartbeats, that is policy and URL, whose last result the host remembers. */
  heartbeats: 1000,
  /** Heartbeats that are sent at the same time. */
  concurrentHeartbeats: 4,
  /** Shortest pause between two heartbeats to one URL: a continuous policy succeeds twice a second. */
  heartbeatIntervalMs: 15_000,
  /** Attempts of a heartbeat. The next run sends another one. */
  heartbeatAttempts: 3,
  /** Pause between attempts of a heartbeat. */
  heartbeatRetryMs: 5_000,

  // Restore and verification

  /** Documents that a restore of selected documents writes at a time. */
  restoreBatchDocuments: 128,
  /** Attempts of such a restore for a document that changes meanwhile. */
  restoreAttempts: 10,
  /** Documents that the result of such a restore names. */
  restoreSamples: 100,
  /** Scratch indexes for comparing and exporting. Each takes as much space as its index. */
  scratchIndexes: 4,
  /** Backups that are open as indexes at the same time. Each takes as much space as its index, and a few threads. */
  openedIndexes: 8,
  /** Total size of opened indexes. */
  openedBytes: 64 * 1024 * MiB,
  /** Free space that remains on the disk of the indexes when a backup is opened. */
  openedReserveBytes: 256 * MiB,
  /** Time after which an opened index is closed, in microseconds. */
  openedLifetimeMicros: 72 * 3600_000_000,
  /** How long the close of an opened index waits for those who read it; it ends after them all the same. */
  openedCloseWaitMs: 2_000,
  /** How often the host looks for opened indexes whose time is over. */
  openedExpiryCheckMs: 1_000,
  /** Fields that a comparison of two versions of a document names. */
  fieldDifferences: 10_000,
  /** Characters of the path, and of a value, of such a field. */
  fieldDifferenceChars: 4_096,
  /** Characters of all of them together: an answer of a few megabytes. */
  fieldDifferencesChars: 1024 * KiB,
  /** Levels of objects that such a comparison descends; deeper ones are compared as a whole. Each level reads the rest again. */
  comparedDepth: 8,
  /** Versions before and after a point in time that its description lists. */
  versionsAround: 3,
  /** Share of the rows that a sample checks, in percent. */
  samplePercent: 5,
  /** Problems that the check of an index reports. */
  checkProblems: 10,
  /**
   * Rows whose order a full check follows in memory, at 23 to 70 bytes for each of their links, and about 100 for each
   * compaction. Those of a larger chain are divided into temporary files.
   */
  chainCheckRows: 250_000,
  /** Rows that a comparison of two backups keeps, at 100 to 200 bytes each. The others wait in temporary files. */
  comparedRows: 300_000,
  /** Such files, which are open at once. With more than 150 million rows, each has more of them. */
  comparedParts: 500,
  /** Results of verifications that the host records. */
  verifications: 1000,
  /** Files that a listing of a directory tree reads. */
  listedFiles: 100_000,
  /** Levels of directories that a listing descends. */
  listedDepth: 16,

  // Files and archives

  /** Read size for an archive. A larger one wastes what follows a small entry. */
  archiveReadBytes: 128 * KiB,
  /**
   * Block of a ZIP entry that one thread compresses. Changing it changes the bytes of archives, but
   * not how they are read. Smaller blocks cost more calls; with larger ones, cores are idle at the end
   * of an entry.
   */
  deflateBlockBytes: 1 * MiB,
  /**
   * Blocks that are compressed at the same time: as many as Node has threads by default. Each uses up
   * to 3 MiB.
   */
  deflatingBlocks: 4,
  /** Chunk of the unpacked data of a ZIP entry. Smaller ones cost more calls. */
  inflatedChunkBytes: 256 * KiB,
  /** The central directory of a ZIP archive: half a million entries. */
  zipDirectoryBytes: 64 * MiB,
  /** Read size for copying and hashing files. */
  copyChunkBytes: 1 * MiB,
  /** Read size for manifests and notes, most of which fit into one read. */
  smallObjectChunkBytes: 64 * KiB,
  /** Free space that remains on the disk of the indexes while transfers are received or packed. */
  transferReserveBytes: 256 * MiB,
  /**
   * Free space that remains on the disk of the indexes while a source is fetched; half of a small
   * disk.
   */
  fetchReserveBytes: 64 * MiB,
  /** Written bytes after which free space is checked again. */
  freeSpaceCheckBytes: 4 * MiB,

  // Leases

  /** Interval at which an owner renews its lease. */
  leaseHeartbeatMs: 2_000,
  /** Time without renewal after which another process takes over a lease. */
  leaseExpiryMs: 15_000,
  /** How long a backup waits for a lease. */
  leaseWaitMs: 600_000,

  // Transfers and streams

  /** Transfers that the host keeps. */
  transfers: 32,
  /** Total size of all transfers. */
  transferBytes: 64 * 1024 * MiB,
  /** Time without use after which the host removes a transfer. */
  transferExpiryMs: 3600_000,
  /** How often the host looks for expired transfers. */
  transferExpiryCheckMs: 5_000,
  /** Bytes of an upload between two syncs: what a client sends again after a power cut. */
  transferSyncBytes: 32 * MiB,
  /** Received bytes of an upload that wait to be written. */
  uploadQueueBytes: 8 * MiB,
  /** Default chunk of a streamed archive. */
  chunkBytes: 1 * MiB,
  /** Largest chunk of a streamed archive. */
  chunkBytesMax: 8 * MiB,
  /** Bytes of a stream that wait for the client. */
  streamBufferBytes: 2 * MiB,
  /** Time after which the host ends a stream whose client neither sends nor receives. */
  streamIdleMs: 120_000,
  /** Archives that are sent at the same time. Each keeps a few chunks in memory. */
  streams: 32,
  /** Manifests of streamed backups that the host keeps as bases of later ones. */
  streamedManifests: 1000,

  // Files on /local-files

  /** File services. */
  fileServices: 1000,
  /** Files that the host records as written through /local-files. It forgets the oldest first. */
  publishedFiles: 10_000,
  /** A file URI: a path of 4 KiB with every byte escaped. */
  fileUriChars: 12 * KiB + 20,
  /** Uploads in progress. */
  fileUploads: 64,
  /** Uploads that are checked at the same time, each by a child process. Others wait. */
  fileChecks: 2,
  /** Time without a request after which the host discards an upload. */
  fileUploadIdleMs: 3600_000,
  /** How often the host looks for abandoned uploads. */
  fileExpiryCheckMs: 60_000,
  /** Time without a request after which another client may start an upload of the same file. */
  fileUploadTakeoverMs: 15_000,
  /** Concurrent requests that send parts of one file. Xenon sends 10. */
  fileRequests: 64,
  /** Concurrent requests that read files. Xenon sends 10. */
  fileReads: 128,
  /** Read size for a file. */
  fileReadBytes: 256 * KiB,
  /** Received bytes of one request that wait to be written. */
  fileQueueBytes: 512 * KiB,
  /** Ranges of an upload that are separated by gaps. */
  fileUploadRanges: 16_384,

  // HTTP destinations and sources

  /** Time without progress, over all retries, after which a transfer fails. */
  httpRetryTimeoutMs: 30_000,
  /** Time without traffic after which a request fails. It is short enough for one retry. */
  httpIdleTimeoutMs: 15_000,
  /** Interval at which the host sends `102 Processing` for a request that takes long. */
  processingIntervalMs: 3_000,
  /** Responses `102 Processing` that count as traffic: one hour at the interval above. */
  httpProcessingResponses: 1_200,
  /** Pause before the first retry. */
  httpBackOffMs: 100,
  /** Longest pause before a retry. */
  httpBackOffMaxMs: 5_000,
  /** Bytes that count as progress, so that a source that sends one byte at a time fails. */
  httpProgressBytes: 64 * KiB,
  /** Time in which a source must send httpProgressBytes. */
  httpProgressMs: 60_000,
  /** Smallest range of a transfer, so that a small archive uses several requests. */
  httpChunkBytesMin: 512 * KiB,
  /** Largest range of a transfer. */
  httpChunkBytesMax: 8 * MiB,
  /** Concurrent requests of one transfer. */
  httpRequests: 4,
  /** Read size of an upload. Each request has one such buffer. */
  httpBufferBytes: 256 * KiB,
  /**
   * Bytes of an unused response body that are read to keep the connection. Xenon echoes a chunk of
   * 8 MiB.
   */
  httpDrainBytes: 9 * MiB,
  /** Sources that are fetched at the same time. Each takes disk space. */
  httpSources: 16,

  // Stored files

  /** Window of a compressed segment, as a power of two: 8 MiB, what RFC 8878 asks every reader to support. */
  zstdWindowLog: 23,
  /** Compressed bytes given to the script decoder at a time. Each block of 3 bytes may stand for 128 KiB. */
  zstdPieceBytes: 1 * KiB,

  // Object stores

  /** Segments of a remote destination that are fetched at the same time. */
  segmentFetches: 4,
  /** Prefix of a destination. A key has at most 1,024 bytes, and the longest name of a backup 100. */
  s3PrefixBytes: 800,
  /** Size from which an object is uploaded in parts. S3 takes at most 5 GiB in one request. */
  s3MultipartBytes: 64 * MiB,
  /** Smallest size of a part. Parts are read from the file when they are sent, so memory is not affected. */
  s3PartBytes: 16 * MiB,
  /** Parts of an object, by the protocol. */
  s3PartsPerObject: 10_000,
  /** Parts that are sent at the same time. Some stores refuse more. */
  s3Parts: 4,
  /** Size of a range of a download. */
  s3RangeBytes: 8 * MiB,
  /** Ranges of an object, and small requests, that are sent at the same time. */
  s3Ranges: 4,
  /** Connections to one store. */
  s3Connections: 32,
  /** Times that a response may end after less than httpProgressBytes. */
  s3Cuts: 5,
  /** Objects below one prefix. A backup has few; another program may have millions. */
  s3ListedObjects: 100_000,
  /** A response other than an object: a page of 1,000 keys of 1 KiB, three times as long if escaped. */
  s3ResponseBytes: 8 * MiB,
  /** Shortest lock of a backup at a store with object lock: it has to be written before the lock ends. */
  lockMinMs: 60_000,
  /** Stores, that is bucket and endpoint, with open connections. The oldest one is closed. */
  s3Stores: 64,
  /** A lease object. */
  s3LeaseBytes: 4 * KiB,
  /** Interval at which an owner renews its lease. Each renewal is a request that is paid for. */
  s3LeaseHeartbeatMs: 5_000,
  /** Time without renewal after which another host takes over. */
  s3LeaseExpiryMs: 30_000,
  /** Interval at which a waiter reads the lease. */
  s3LeasePollMs: 1_000,
  /** Time for releasing a lease or aborting an upload. Both are repaired by the next backup. */
  s3ReleaseMs: 10_000,
  /** Requests to abort an upload that the store still lists, and the pause after each. */
  s3AbortAttempts: 5,
  s3AbortPauseMs: 250,
  /** Time for assembling an object from its parts. */
  s3CompleteMs: 300_000,
  /** Age from which an upload is abandoned at a store where the lock does not exclude other machines. */
  s3AbandonedMs: 86_400_000,
  /** The same of a note about segments that a writer is about to add or remove. */
  abandonedNoteMs: 86_400_000,

  // Records of backups

  /**
   * Indexes and destinations whose last backups the host records. Each has time series in the
   * metrics.
   */
  backupRecords: 100,
  /** Warnings of a backup that its record keeps. */
  backupRecordWarnings: 10,
  /** The file of these records. */
  backupRecordBytes: 4 * MiB,
  /** An error in such a record. */
  backupErrorChars: 2000,
  /** Delay before the record of an automatic backup is written, because these run all the time. */
  backupRecordsWriteMs: 10_000,
  /** How often the host checks the age of the newest backup. */
  backupAgeCheckMs: 1_000,

  // Operations

  /** Operations that the host keeps. */
  operations: 1000,
  /** Operations that run at the same time. */
  runningOperations: 16,
  /** Running operations of one client. One of the total is reserved for admins. */
  operationsPerClient: 8,
  /** File services of one client. One of the total is reserved for admins. */
  fileServicesPerClient: 500,
  /** Query tasks of one client. One of the total is reserved for admins. */
  queryTasksPerClient: 5_000,
  /** Specifications of the query tasks of one client. */
  queryTaskBytesPerClient: 16 * MiB,
  /** Longest wait for the end of an operation in one call. */
  operationWaitMs: 600_000,
  /** How often the host polls a watched operation. */
  operationPollMs: 100,

  // Connections

  /** Longest deadline of a call: the longest delay of a timer (24 days). */
  maxDeadlineMs: 2 ** 31 - 1,
  /** Time in which the headers of a request must arrive. */
  headersTimeoutMs: 20_000,
  /**
   * Time in which a body must be complete or progress by bodyProgressBytes. A stream may take hours,
   * but a client must not send a byte now and then. The timeout of node:http would end streams too.
   */
  requestTimeoutMs: 300_000,
  /** Progress of a body that prevents the timeout above. */
  bodyProgressBytes: 64 * KiB,
  /** How often the progress of bodies is checked. */
  bodyCheckMs: 10_000,
  /**
   * Connections of one port, fewer if the process may not open enough files. Unauthenticated
   * connections may take half of them, and a quarter from one address.
   */
  connections: 4096,
  /** Idle time after which a connection that has never sent a known token is closed. */
  unauthenticatedIdleMs: 10_000,
  /** How often the host looks for such connections. */
  connectionCheckMs: 1_000,
  /** Interval of pings on a gRPC connection. */
  grpcPingMs: 60_000,
  /** Time without an answer to a ping after which the connection is closed. */
  grpcPingTimeoutMs: 20_000,
  /** Idle time after which a connection is closed. */
  idleConnectionMs: 65_000,
  /** The headers of a request. */
  headerBytes: 16 * KiB,
  /** How long a browser may cache a preflight response. Browsers accept at most 2 hours. */
  preflightSeconds: 7200,
  /**
   * How long the body of a refused request is read and discarded, so that the client receives the
   * refusal.
   */
  refusedBodyDrainMs: 1_000,

  // Authentication and audit

  /** Unknown tokens from one address within failedLoginsMs after which responses are delayed. */
  failedLogins: 10,
  /** Time over which unknown tokens are counted. */
  failedLoginsMs: 60_000,
  /** First delay of a response to an unknown token. It doubles with each further one. */
  failedLoginDelayMs: 10,
  /** Longest delay of a response to an unknown token. */
  failedLoginDelayMaxMs: 5_000,
  /** Addresses whose unknown tokens are counted. */
  failedLoginAddresses: 10_000,
  /** A token file, certificate or key. */
  secretFileBytes: MiB,
  /** How often the host checks the files of tokens and certificates for changes. */
  reloadCheckMs: 5_000,
  /** A file of the audit log. */
  auditFileBytes: 16 * MiB,
  /** Files of the audit log. */
  auditFiles: 8,
  /** Files of the audit log of refused requests. */
  auditRefusedFiles: 2,
  /** Queued lines of the audit log. */
  auditQueue: 10_000,
  /** Interval at which the audit log is synced. */
  auditSyncMs: 1_000,
  /** Refused requests that are logged in a minute. Only the number of further ones is logged. */
  auditRefusalsPerMinute: 60,
  /** The action in a line of the audit log, which is a path in the Xenon dialect. */
  auditActionChars: 200,
  /** The subject in a line of the audit log. */
  auditSubjectChars: 2_000,

  // Encryption and signatures

  /**
   * Recipients of an encrypted file. Wrapping the key for a post-quantum recipient takes 4 ms of the
   * event loop.
   */
  ageRecipients: 20,
  /** Identities that are tried on a file. Each is tried on every stanza of its header. */
  ageIdentities: 20,
  /** Stanzas in the header of an encrypted file: ageRecipients, and some of other programs. */
  ageStanzas: 32,
  /** The header of an encrypted file. A post-quantum stanza has 1.6 KiB. */
  ageHeaderBytes: 64 * KiB,
  /** A list of recipients. A post-quantum recipient has 2 KiB; the rest is for comments. */
  ageRecipientsBytes: 128 * KiB,
  /** A passphrase, so that hashing it takes no noticeable time. */
  passphraseBytes: 4 * KiB,
  /** Work factor of a new passphrase, as log2(N) of scrypt, as in age: 256 MiB for about a second. */
  scryptWorkFactor: 18,
  /** Largest accepted work factor: 1 GiB for about 4 seconds. */
  scryptWorkFactorMax: 20,
  /**
   * Encrypted bytes that are passed on as one buffer. Writing a file in buffers of 64 KiB takes twice
   * as long (measured).
   */
  encryptedBlockBytes: MiB,
  /** A file with a signature. One by the longest RSA keys has 5 KiB. */
  signatureBytes: 16 * KiB,
  /** A file with a signing key. */
  signingKeyBytes: 16 * KiB,
  /** The comment of a signing key. */
  signingKeyCommentChars: 200,
  /** A list of trusted signers. */
  trustedSignersBytes: 256 * KiB,
  /** A line of such a list. Matching a name with its patterns takes less than 1 ms. */
  trustedSignerLineChars: 8 * KiB,
  /** Name that is matched with the patterns of a trusted signer. */
  principalChars: 256,

  // Retention and maintenance

  /** Default number of versions of a document that are kept regardless of their age. */
  retainedVersions: 10_000,
  /** Default time for which versions beyond retainedVersions are kept. */
  historyMs: 24 * 3600 * 1000,
  /** Interval of compaction. */
  compactionIntervalMs: 1_000,
  /** Versions that one run of compaction removes. */
  compactionRows: 500,
  /** Requests that operation tracing keeps. */
  tracedOperations: 10_000,
  /** Time for which operation tracing keeps a request. */
  tracedAgeMicros: 24 * 3600 * 1_000_000,
  /** Requests that wait to be traced. */
  tracedQueue: 1000,
  /** Earlier lineages that an index records. Each restore and each undo adds one or two. */
  lineageParents: 1000,
  /** Time by which the log may be ahead of the clock before the host warns. */
  clockAheadWarnMs: 3600 * 1000,
  /** How often the clock is checked. */
  clockCheckMs: 10_000,
  /** Resolution at which the delay of the event loop is measured. */
  eventLoopResolutionMs: 20,

  // Log output and shutdown

  /** How long log output waits for a slow reader. Later lines are dropped without waiting. */
  logWaitMs: 50,
  /** Time that a shutdown gives to requests in flight and to operations. */
  shutdownMs: 30_000,
  /**
   * Time after which the process exits even if something still runs, for example on a disk that
   * hangs.
   */
  shutdownGraceMs: 5_000,
  /**
   * Time that a shutdown gives to gRPC connections without a call, so that slow clients receive
   * their responses.
   */
  grpcCloseMs: 5_000,
} as const;
