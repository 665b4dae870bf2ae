import { runBackup } from "../../backup/backup.js";
import { dryRunBackup } from "../../backup/dry-run.js";
import type { Report } from "../../backup/progress.js";
import type { ContainerWriter } from "../../container/container.js";
import { resolveTarget, type BackupTarget } from "../../container/resolve.js";
import { describeManifest } from "../../segment/description.js";
import type { StoredManifest } from "../../segment/manifest.js";
import { HostError } from "../../errors.js";
import { fromFileError } from "../../io/file-error.js";
import { limits } from "../../limits.js";
import { fingerprintOf } from "../../operation/fingerprint.js";
import type { DocumentIndex } from "../../store/document-index.js";
import type { ManagementOptions } from "./management-options.js";
import type { BackupRequest, BackupResult } from "../../backup/backup-request.js";
import type { ManagementService } from "./management-service.js";

/** Warning of every dry run. */
export const onlyValidated = "Only validated: nothing was written.";

export function createBackupStart(options: ManagementOptions): ManagementService["backup"] {
  const { platform, operations, hostId, productVersion, written } = options;
  const isDamagedAt = (uri: string) => (manifestSha256: string) =>
    options.verifications.isDamaged({ uri, manifestSha256 });

  /** Returns the manifest that `since` refers to. */
  async function baseOf({ since, indexLink }: BackupRequest): Promise<StoredManifest | undefined> {
    if (since === undefined) return undefined;
    const base = await options.streamed.find(since);
    const { indexLink: link } = base.manifest;
    if (link === indexLink) return base;
    throw new HostError(
      "BACKUP_OF_OTHER_INDEX",
      `The backup that since names is of ${link}, not of ${indexLink}.`,
      { metadata: { indexLink: link } },
    );
  }

  async function openWriter(
    index: DocumentIndex,
    target: BackupTarget,
    base: StoredManifest | undefined,
    signal: AbortSignal,
    report: Report,
  ): Promise<ContainerWriter> {
    const state = await index.state();
    return target.open(
      {
        index: state,
        expectedBytes: state.sizeBytes,
        base,
        onStage: (stage, bytesDone, bytesTotal) => report({ stage, bytesDone, bytesTotal }),
      },
      signal,
    );
  }

  async function run(
    request: BackupRequest,
    index: DocumentIndex,
    target: BackupTarget,
    base: StoredManifest | undefined,
    signal: AbortSignal,
    report: Report,
  ): Promise<BackupResult> {
    // While the index is being replaced, a backup waits for the new generation.
    report({ stage: "waiting" });
    await index.settled(signal);
    let writer: ContainerWriter | undefined;
    try {
      writer = await openWriter(index, target, base, signal, report);
      const task = {
        index,
        writer,
        hostId,
        productVersion,
        full: request.full ?? false,
        store: request.store ?? false,
        isDamaged: isDamagedAt(target.uri),
        destination: target.uri,
        written,
      };
      const { manifest, ...result } = await runBackup(platform, task, signal, report);
      return { ...result, backup: describeManifest(target, manifest) };
    } catch (error) {
      throw fromFileError(error, `The backup to ${target.uri}`);
    } finally {
      await writer?.close();
    }
  }

  async function validate(
    request: BackupRequest,
    index: DocumentIndex,
    target: BackupTarget,
    signal: AbortSignal,
  ): Promise<BackupResult> {
    const contents = await target.inspect(signal);
    try {
      const task = {
        index,
        container: target.container,
        full: request.full ?? false,
        isDamaged: isDamagedAt(target.uri),
        written,
        ...contents,
      };
      const plan = await dryRunBackup(task, operations.list(limits.operations).operations, signal);
      const { positionMicros, window, documents, versions, indexId, lineage, parents } =
        await index.state();
      const facts = {
        indexId,
        lineage,
        parents,
        positionMicros,
        window,
        documents,
        versions,
        hostId,
        productVersion,
      };
      const { uri, container } = target;
      const backup = {
        ...facts,
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
      return {
        backup,
        bytesWritten: 0,
        segmentsWritten: 0,
        verified: false,
        warnings: [onlyValidated],
        plan,
      };
    } finally {
      await contents?.reader?.close();
    }
  }

  return async (request) => {
    const index = options.indexOf(request.indexLink);
    const target = await resolveTarget(options, request);
    const base = await baseOf(request);
    const common = { kind: "backup" as const, indexLink: index.link, target: target.target };
    if (request.validateOnly)
      return operations.start({
        ...common,
        run: (signal) => validate(request, index, target, signal),
      });
    return operations.start({
      ...common,
      ...(request.requestId && { requestId: request.requestId }),
      fingerprint: fingerprintOf(request, ["requestId", "destination", "indexLink", "bearer"]),
      run: (signal, report) => run(request, index, target, base, signal, report),
    });
  };
}
