import { dryRunRestore } from "../../backup/dry-run.js";
import { locationOf, withManifest, type ChosenManifest } from "../../backup/inspect.js";
import type { Report } from "../../backup/progress.js";
import {
  planOf,
  requireSameIndex,
  runRestore,
  undoRestore,
  wantedBy,
  type RestorePlan,
  type RestoreTask,
} from "../../backup/restore.js";
import { restoreSelection, type SelectionTask } from "../../backup/restore-selection.js";
import { verifyBackup } from "../../backup/verify.js";
import type { ContainerReader } from "../../container/container.js";
import { compositeReader } from "../../container/composite-reader.js";
import {
  resolveSource,
  type BackupSource,
  type OpenSourceOptions,
} from "../../container/resolve.js";
import { describeManifest } from "../../segment/description.js";
import { HostError } from "../../errors.js";
import { fromFileError } from "../../io/file-error.js";
import { formatTime } from "../../io/time.js";
import { limits } from "../../limits.js";
import { fingerprintOf } from "../../operation/fingerprint.js";
import type { DocumentIndex } from "../../store/document-index.js";
import type { ManagementOptions } from "./management-options.js";
import type { IndexPointInTime } from "../../backup/point-in-time.js";
import type { OperationView } from "../../operation/operation.js";
import type { RestoreRequest, RestoreResult, UndoRequest } from "../../backup/restore-request.js";
import { withSource } from "./sources.js";
import { onlyValidated } from "./start-backup.js";

/** Starts restores, and undoes them, as operations. */
export class RestoreStarter {
  constructor(private readonly options: ManagementOptions) {}

  /** Resolves when the request is validated and the operation has started. */
  async restore(request: RestoreRequest): Promise<OperationView> {
    const { operations, indexOf, pauseAutoBackup } = this.options;
    const index = indexOf(request.indexLink);
    checkSelection(request);
    const source = await this.sourceOf(request);
    return operations.start({
      kind: "restore",
      indexLink: index.link,
      target: source.uri,
      ...(request.requestId && { requestId: request.requestId }),
      fingerprint: fingerprintOf(request, [
        "requestId",
        "source",
        "indexLink",
        "bearer",
        "decryptWith",
      ]),
      run: async (signal, report) => {
        const resume = await pauseAutoBackup(source.uri);
        try {
          return await this.run(request, index, source, signal, report);
        } finally {
          resume();
        }
      },
    });
  }

  /** Undoes the last restore of an index. */
  async undoRestore({
    indexLink,
    validateOnly = false,
    ignorePartialRestores = false,
    ifLineage,
  }: UndoRequest): Promise<OperationView> {
    const { platform, operations } = this.options;
    const index = this.options.indexOf(indexLink);
    const partial = this.partialRestoreOf(indexLink);
    if (partial && !ignorePartialRestores) throw undoNotLast(partial);
    return operations.start({
      kind: "undo-restore",
      indexLink,
      target: indexLink,
      run: async () => {
        // A damaged index must not prevent its undo.
        const current = validateOnly ? await index.state().catch(() => undefined) : undefined;
        const run = await undoRestore(platform, index, {
          validateOnly,
          ...(ifLineage !== undefined && { ifLineage }),
        });
        const { lineage, positionMicros, discardedVersions } = run;
        const warnings = discardedVersions ? [discardedText(discardedVersions, validateOnly)] : [];
        if (!validateOnly) {
          const { documents, versions } = await index.state();
          return { indexLink, lineage, documents, versions, positionMicros, warnings };
        }
        return {
          indexLink,
          lineage,
          documents: 0,
          versions: 0,
          positionMicros,
          warnings: [onlyValidated, ...warnings],
          plan: {
            currentDocuments: current?.documents ?? 0,
            currentVersions: current?.versions ?? 0,
            currentPositionMicros: current?.positionMicros ?? 0,
            neededBytes: 0,
            freeBytes: 0,
            ...(discardedVersions !== undefined && { discardedVersions }),
          },
        };
      },
    });
  }

  /** Returns the last restore of an index if it was one of selected documents, which an undo does not revert. */
  private partialRestoreOf(indexLink: string): OperationView | undefined {
    const last = this.options.operations
      .list(limits.operations)
      .operations.find(
        (one) =>
          one.indexLink === indexLink &&
          (one.kind === "restore" || one.kind === "undo-restore") &&
          one.result !== undefined &&
          hasChanged(one.result as RestoreResult),
      );
    return last && (last.result as RestoreResult).selection ? last : undefined;
  }

  private async run(
    request: RestoreRequest,
    index: DocumentIndex,
    source: BackupSource,
    signal: AbortSignal,
    report: Report,
  ): Promise<RestoreResult> {
    const { platform } = this.options;
    try {
      if (request.selection)
        return await this.select(request, request.selection, index, signal, report);
      return await withSource(source, signal, report, async (reader) => {
        const task = this.taskOf(request, index, reader);
        if (request.validateOnly) return this.validate(source, task, signal, report);
        const { identity, ...result } = await runRestore(platform, task, signal, report);
        return { ...result, indexLink: index.link, lineage: identity.lineage };
      });
    } catch (error) {
      throw fromFileError(error, `The restore from ${source.uri}`);
    }
  }

  private taskOf(
    request: RestoreRequest,
    index: DocumentIndex,
    reader: ContainerReader,
  ): RestoreTask {
    return {
      index,
      reader,
      temporaryDirectory: this.options.temporaryDirectory,
      lenientTargetTime: request.lenientTargetTime ?? false,
      allowOtherIndex: request.indexNamed ?? false,
      ...(request.ifPositionMicros !== undefined && { ifPositionMicros: request.ifPositionMicros }),
      ...(request.manifest !== undefined && { manifestName: request.manifest }),
      ...(request.targetTimeMicros !== undefined && { targetTimeMicros: request.targetTimeMicros }),
    };
  }

  /** Verifies the backup and plans the restore without changing the index. */
  private async validate(
    source: BackupSource,
    task: RestoreTask,
    signal: AbortSignal,
    report: Report,
  ): Promise<RestoreResult> {
    const { index, reader } = task;
    const { file, target, neededBytes, freeBytes } = await withManifest(
      reader,
      wantedBy(task),
      signal,
      (chosen) => this.planVerified(task, chosen, signal, report),
    );
    const plan = await dryRunRestore(
      {
        index,
        backup: describeManifest(locationOf(source, reader), file),
        neededBytes,
        freeBytes,
        ...(target.targetTimeMicros !== undefined && { targetTimeMicros: target.targetTimeMicros }),
      },
      this.options.operations.list(limits.operations).operations,
    );
    const { documents, versions, positionMicros, lineage } = file.manifest;
    return {
      indexLink: index.link,
      lineage,
      documents,
      versions,
      positionMicros,
      warnings: [
        onlyValidated,
        ...file.warnings,
        ...(target.warning === undefined ? [] : [target.warning]),
      ],
      plan,
    };
  }

  private async planVerified(
    task: RestoreTask,
    chosen: ChosenManifest,
    signal: AbortSignal,
    report: Report,
  ): Promise<RestorePlan> {
    const { platform, storageEngine, temporaryDirectory } = this.options;
    const plan = await planOf(platform, task, chosen, signal);
    await verifyBackup(
      platform,
      storageEngine,
      {
        reader: task.reader,
        manifest: chosen.manifest,
        level: "FULL",
        samplePercent: 100,
        temporaryDirectory,
      },
      signal,
      report,
    );
    return plan;
  }

  /** Restores the selected documents by writing those that differ. */
  private async select(
    request: RestoreRequest,
    selection: NonNullable<RestoreRequest["selection"]>,
    index: DocumentIndex,
    signal: AbortSignal,
    report: Report,
  ): Promise<RestoreResult> {
    const { states } = this.options;
    // The claim keeps other restores from replacing the index during the writes.
    const claim = await index.beginReplacement();
    try {
      report({ stage: "building" });
      const backup = await states.open(
        pointInTimeOf(request, index.link),
        signal,
        report,
        (found) => requireSameIndex(found, index.link, request.indexNamed ?? false),
      );
      try {
        const live = await states.open({ indexLink: index.link }, signal, report);
        try {
          return await this.writeSelected(
            request,
            selection,
            { index, live, backup },
            signal,
            report,
          );
        } finally {
          await live.close();
        }
      } finally {
        await backup.close();
      }
    } finally {
      await claim.abandon();
    }
  }

  private async writeSelected(
    request: RestoreRequest,
    selection: NonNullable<RestoreRequest["selection"]>,
    opened: Pick<SelectionTask, "live" | "backup"> & { index: DocumentIndex },
    signal: AbortSignal,
    report: Report,
  ): Promise<RestoreResult> {
    const { hostId, platform } = this.options;
    const { index } = opened;
    const validateOnly = request.validateOnly ?? false;
    const task = {
      ...opened,
      selection,
      deleteOthers: selection.deleteOthers,
      hostId,
      nowMicros: platform.nowMicros(),
      validateOnly,
    };
    const run = await restoreSelection(task, signal, report);
    const { lineage, documents, versions, positionMicros } = await index.state();
    return {
      indexLink: index.link,
      lineage,
      documents,
      versions,
      positionMicros,
      warnings: [...(validateOnly ? [onlyValidated] : []), ...run.warnings],
      selection: run.selection,
    };
  }

  /** Combines the backup and its base sources. */
  private async sourceOf(request: RestoreRequest): Promise<BackupSource> {
    const { bearer, decryptWith } = request;
    const source = await resolveSource(this.options, request.source, { bearer, decryptWith });
    const bearerFor = (uri: string) =>
      originOf(uri) === originOf(request.source) ? request.bearer : undefined;
    const bases = await Promise.all(
      (request.baseSources ?? []).map((uri) =>
        resolveSource(this.options, uri, { bearer: bearerFor(uri), decryptWith }),
      ),
    );
    if (bases.length === 0) return source;
    return { ...source, open: (open, signal) => openAll(source, bases, open, signal) };
  }
}

/** Whether a restore changed the index: it was no dry run, and wrote at least one of the selected documents. */
function hasChanged({ warnings, selection }: RestoreResult): boolean {
  if (warnings.includes(onlyValidated)) return false;
  return !selection || selection.created + selection.replaced + selection.deleted > 0;
}

function undoNotLast({ indexLink, name, endTimeMicros = 0 }: OperationView): HostError {
  return new HostError(
    "UNDO_NOT_LAST",
    `The last restore of ${indexLink}, of ${formatTime(endTimeMicros)}, was of selected documents. An undo does not revert it: it would revert the restore of the whole index before it, and all writes since. Nothing was changed. Restore these documents to a time before it from a backup; a backup made now has their history. To revert the whole index all the same, undo with ignore_partial_restores (holdfast undo --ignore-partial-restores); it shows to which time first.`,
    { metadata: { operation: name } },
  );
}

const discardedText = (count: number, validateOnly: boolean) =>
  `${count} ${count === 1 ? "version" : "versions"} written since the restore ${validateOnly ? "would be" : count === 1 ? "is" : "are"} left out. A second undo brings ${count === 1 ? "it" : "them"} back.`;

function pointInTimeOf(
  { source: uri, manifest, targetTimeMicros, bearer, decryptWith }: RestoreRequest,
  indexLink: string,
): IndexPointInTime {
  return {
    uri,
    indexLink,
    ...(manifest !== undefined && { manifest }),
    ...(targetTimeMicros !== undefined && { targetTimeMicros }),
    ...(bearer !== undefined && { bearer }),
    ...(decryptWith !== undefined && { decryptWith }),
  };
}

/** Refuses options that a restore of selected documents does not support. */
function checkSelection({ selection, baseSources = [], ifPositionMicros }: RestoreRequest): void {
  if (!selection) return;
  const refuse = (field: string, why: string) =>
    new HostError("REQUEST_INVALID", why, { metadata: { field } });
  if (baseSources.length > 0)
    throw refuse(
      "base_sources",
      "base_sources cannot be combined with a selection. Restore the backup to another host and export the documents there.",
    );
  if (ifPositionMicros !== undefined)
    throw refuse(
      "if_position_micros",
      "if_position_micros cannot be combined with a selection, which writes single documents and does not replace the index.",
    );
}

async function openAll(
  source: BackupSource,
  bases: readonly BackupSource[],
  options: OpenSourceOptions,
  signal: AbortSignal,
): Promise<ContainerReader> {
  const first = await source.open(options, signal);
  const others: ContainerReader[] = [];
  try {
    for (const base of bases) others.push(await base.open(options, signal));
    return compositeReader(first, others);
  } catch (error) {
    for (const reader of [first, ...others]) await reader.close();
    throw error;
  }
}

/** Returns the origin of a URI; a token is sent only to its own origin. */
const originOf = (uri: string) => /^[a-z]+:\/\/[^/?#]*/i.exec(uri)?.[0].toLowerCase();
