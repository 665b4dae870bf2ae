import { runBackup } from "../../backup/backup.js";
import { dryRunBackup } from "../../backup/dry-run.js";
import type { Report } from "../../backup/progress.js";
import { readersOf } from "../../backup/encryption-change.js";
import type { ContainerWriter } from "../../container/container.js";
import {
  encodingAt,
  encryptionOf,
  requestedEncryption,
  type SegmentEncoding,
} from "../../backup/encode-segment.js";
import type { EncryptTo } from "../../encoding/encoding-call.js";
import {
  resolveTarget,
  type BackupTarget,
  type OpenTargetOptions,
} from "../../container/resolve.js";
import { describeManifest, type BackupDescription } from "../../segment/description.js";
import type { SegmentEncryption, StoredManifest } from "../../segment/manifest.js";
import { HostError } from "../../errors.js";
import { fromFileError } from "../../io/file-error.js";
import { formatTime } from "../../io/time.js";
import { limits } from "../../limits.js";
import { fingerprintOf } from "../../operation/fingerprint.js";
import type { DocumentIndex } from "../../store/document-index.js";
import type { ManagementOptions } from "./management-options.js";
import type { BackupRequest, BackupResult } from "../../backup/backup-request.js";
import type { OperationView } from "../../operation/operation.js";

/** Warning of every dry run. */
export const onlyValidated = "Only validated: nothing was written.";

/** Starts backups, as operations. */
export class BackupStarter {
  constructor(private readonly options: ManagementOptions) {}

  /** Resolves when the request is validated and the operation has started. */
  async start(request: BackupRequest): Promise<OperationView> {
    const { operations } = this.options;
    const index = this.options.indexOf(request.indexLink);
    requireFuture(request.retention, this.options.platform.nowMicros());
    const encryptTo = await requestedEncryption(request.encryption, this.options.encryptTo);
    const target = await resolveTarget(this.options, request);
    const plan = {
      index,
      target,
      encryptTo,
      encoding: encodingFor(request, target, encryptTo),
      encryption: encryptionOf({ encryptTo }),
    };
    const base = await this.baseOf(request);
    const common = {
      kind: "backup" as const,
      indexLink: index.link,
      target: target.target,
      policy: request.policy,
    };
    if (request.validateOnly)
      return operations.start({
        ...common,
        run: (signal) => this.validate(request, plan, signal),
      });
    return operations.start({
      ...common,
      ...(request.requestId && { requestId: request.requestId }),
      fingerprint: fingerprintOf(withoutPassphrase(request), [
        "requestId",
        "destination",
        "indexLink",
        "bearer",
      ]),
      run: (signal, report) => this.run(request, plan, base, signal, report),
    });
  }

  /** Returns the manifest that `since` refers to. */
  private async baseOf({ since, indexLink }: BackupRequest): Promise<StoredManifest | undefined> {
    if (since === undefined) return undefined;
    const base = await this.options.streamed.find(since);
    const { indexLink: link } = base.manifest;
    if (link === indexLink) return base;
    throw new HostError(
      "BACKUP_OF_OTHER_INDEX",
      `The backup that since names is of ${link}, not of ${indexLink}.`,
      { metadata: { indexLink: link } },
    );
  }

  private async run(
    request: BackupRequest,
    { index, target, encoding, encryptTo, encryption }: PlannedBackup,
    base: StoredManifest | undefined,
    signal: AbortSignal,
    report: Report,
  ): Promise<BackupResult> {
    const { platform, hostId, productVersion, written } = this.options;
    // While the index is being replaced, a backup waits for the new generation.
    report({ stage: "waiting" });
    await index.settled(signal);
    let writer: ContainerWriter | undefined;
    try {
      const unencrypted = request.encryption?.disabled ?? false;
      const isLocked = request.retention !== undefined;
      const open = { base, encryptTo, unencrypted, isLocked };
      writer = await this.openWriter(index, target, open, signal, report);
      const task = {
        encoding,
        encryption,
        sign: this.options.sign,
        temporaryDirectory: this.options.temporaryDirectory,
        keepChain: request.encryption?.keepChain ?? false,
        unencrypted,
        index,
        writer,
        hostId,
        productVersion,
        full: request.full ?? false,
        keepEarlier: request.keepEarlier ?? this.options.keepsEarlier(target.uri),
        store: request.store ?? false,
        retention: request.retention,
        isDamaged: this.isDamagedAt(target.uri),
        container: target.container,
        destination: target.uri,
        identity: target.identity,
        written,
      };
      const { manifest, ...result } = await runBackup(platform, task, signal, report);
      const { uri, container } = target;
      return { ...result, backup: describeManifest({ uri, container, encryption }, manifest) };
    } catch (error) {
      throw fromFileError(error, `The backup to ${target.uri}`);
    } finally {
      await writer?.close();
    }
  }

  /** Plans a backup without writing it. */
  private async validate(
    request: BackupRequest,
    { index, target, encryption }: PlannedBackup,
    signal: AbortSignal,
  ): Promise<BackupResult> {
    const { operations, written } = this.options;
    const contents = await target.inspect({ isLocked: request.retention !== undefined }, signal);
    try {
      const task = {
        index,
        container: target.container,
        full: request.full ?? false,
        encryption,
        keepChain: request.encryption?.keepChain ?? false,
        unencrypted: request.encryption?.disabled ?? false,
        destination: target.uri,
        identity: target.identity,
        isDamaged: this.isDamagedAt(target.uri),
        written,
        ...contents,
      };
      const history = operations.list(limits.operations).operations;
      const { warnings, ...plan } = await dryRunBackup(task, history, signal);
      return {
        backup: await this.describeUnwritten(index, target),
        bytesWritten: 0,
        segmentsWritten: 0,
        verified: false,
        warnings: [onlyValidated, ...warnings],
        plan,
      };
    } finally {
      await contents?.reader?.close();
    }
  }

  /** Describes the backup that a run would write now. It has no name. */
  private async describeUnwritten(
    index: DocumentIndex,
    { uri, container }: BackupTarget,
  ): Promise<BackupDescription> {
    const { hostId, productVersion } = this.options;
    const { positionMicros, window, documents, versions, indexId, lineage, parents } =
      await index.state();
    return {
      indexId,
      lineage,
      parents,
      positionMicros,
      window,
      documents,
      versions,
      hostId,
      productVersion,
      name: "",
      manifestSha256: "",
      number: 0,
      uri,
      container,
      indexLink: index.link,
      createTimeMicros: 0,
      sizeBytes: 0,
      segments: [],
    };
  }

  private async openWriter(
    index: DocumentIndex,
    target: BackupTarget,
    open: Pick<OpenTargetOptions, "base" | "encryptTo" | "unencrypted" | "isLocked">,
    signal: AbortSignal,
    report: Report,
  ): Promise<ContainerWriter> {
    const state = await index.state();
    const { written } = this.options;
    return target.open(
      {
        index: state,
        expectedBytes: state.sizeBytes,
        ...open,
        ownArchives: {
          has: (sha256) => written.find(sha256) !== undefined,
          add: async (sha256) => {
            const readers = readersOf(encryptionOf(open));
            await written.add(target.identity, { sha256, indexId: state.indexId, readers });
          },
        },
        onStage: (stage, bytesDone, bytesTotal) => report({ stage, bytesDone, bytesTotal }),
      },
      signal,
    );
  }

  private isDamagedAt(uri: string): (manifestSha256: string) => boolean {
    return (manifestSha256) => this.options.verifications.isDamaged({ uri, manifestSha256 });
  }
}

/** A validated request. */
interface PlannedBackup {
  index: DocumentIndex;
  target: BackupTarget;
  encryptTo: EncryptTo | undefined;
  /** How segments are stored. */
  encoding: SegmentEncoding;
  /** Who can read the backup. Undefined: it is not encrypted. */
  encryption: SegmentEncryption | undefined;
}

/** An archive is encrypted as one file, and its segments are not. */
function encodingFor(
  request: BackupRequest,
  { container, destination }: BackupTarget,
  encryptTo: EncryptTo | undefined,
): SegmentEncoding {
  if (container !== "DIRECTORY") return plainInArchive(request);
  return encodingAt(destination, { compression: request.compression, encryptTo });
}

/** A lock that has ended when the backup is complete would lock nothing. */
function requireFuture(retention: BackupRequest["retention"], nowMicros: number): void {
  if (retention === undefined || retention.untilMs >= nowMicros / 1000 + limits.lockMinMs) return;
  throw new HostError(
    "REQUEST_INVALID",
    `The lock would end at ${formatTime(retention.untilMs * 1000)}, which is not at least ${limits.lockMinMs / 1000} seconds from now. Use a later time.`,
    { metadata: { field: "lock_until_micros" } },
  );
}

/** The files of an archive are compressed by the archive. */
function plainInArchive({ compression }: BackupRequest): SegmentEncoding {
  if (compression === undefined || compression === "none") return { compression: "none" };
  throw new HostError(
    "REQUEST_INVALID",
    "compression is for backups of type DIRECTORY. Archives are compressed unless store is set.",
    { metadata: { field: "compression" } },
  );
}

/** The fingerprint of a request is stored. */
function withoutPassphrase(request: BackupRequest): BackupRequest {
  const { encryption } = request;
  if (!encryption?.encryptTo || !("passphrase" in encryption.encryptTo)) return request;
  return { ...request, encryption: { ...encryption, encryptTo: { passphrase: "" } } };
}
