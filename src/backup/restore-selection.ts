import type { DocumentVersion } from "../document/document.js";
import { kindDefinition } from "../document/kinds.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { DocumentIndex } from "../store/document-index.js";
import { differenceOf, isSameVersion, pairsOf, type Pair } from "./diff.js";
import type { DocumentState } from "./document-state.js";
import type { DocumentDifference, DocumentSelection } from "./point-in-time.js";
import type { SelectionResult } from "./restore-request.js";
import type { Report } from "./progress.js";

export interface SelectionTask {
  index: DocumentIndex;
  /** The live index as of one position, and the state to restore. */
  live: DocumentState;
  backup: DocumentState;
  selection: DocumentSelection;
  /** Whether to delete selected documents that the backup does not have. */
  deleteOthers: boolean;
  /** Owner of the new versions. */
  hostId: string;
  nowMicros: number;
  /** Dry run: counts without writing. */
  validateOnly: boolean;
}

export interface SelectionRun {
  selection: SelectionResult;
  warnings: string[];
}

/** A difference, and the position of its pair. */
interface Sample {
  position: number;
  difference: DocumentDifference;
}

type Outcome = "created" | "replaced" | "unchanged" | "deleted" | "kept";

/**
 * Writes the selected documents of a backup into the live index as new versions. Each document is one durable write. An
 * interrupted run keeps the documents already written; repeating it continues, since unchanged documents are skipped.
 */
export async function restoreSelection(
  task: SelectionTask,
  signal: AbortSignal,
  report: Report,
): Promise<SelectionRun> {
  return new SelectionRestore(task).run(signal, report);
}

/** One run of a restore of selected documents, and what it has counted so far. */
class SelectionRestore {
  private readonly result: SelectionResult = {
    created: 0,
    replaced: 0,
    unchanged: 0,
    deleted: 0,
    kept: 0,
    differences: [],
  };
  private readonly samples: Sample[] = [];
  private readonly writing = new Set<Promise<void>>();
  private readonly failures: unknown[] = [];
  private expired = 0;

  constructor(private readonly task: SelectionTask) {}

  /** Compares all selected documents and writes those that differ, several at a time. */
  async run(signal: AbortSignal, report: Report): Promise<SelectionRun> {
    const { live, backup, selection, validateOnly } = this.task;
    let done = 0;
    report({ stage: "comparing" });
    for await (const pair of pairsOf(live, backup, selection, signal)) {
      signal.throwIfAborted();
      if (this.failures.length > 0) break;
      if (isSameVersion(pair)) this.result.unchanged += 1;
      else {
        this.begin(pair, done);
        if (this.writing.size >= limits.restoreBatchDocuments) await Promise.race(this.writing);
      }
      done += 1;
      if (done % 1000 === 0)
        report({ stage: validateOnly ? "comparing" : "writing", documentsDone: done });
    }
    await Promise.all(this.writing);
    this.result.differences = this.samples.map(({ difference }) => difference);
    if (this.failures.length > 0) throw stopped(this.failures[0], this.result);
    const warnings =
      this.expired === 0
        ? []
        : [
            `Not put back, because they have expired since: ${this.expired} documents of the backup.`,
          ];
    return { selection: this.result, warnings };
  }

  private begin(pair: Pair, position: number): void {
    const work: Promise<void> = this.settle(pair, position)
      .catch((error: unknown) => void this.failures.push(error))
      .finally(() => this.writing.delete(work));
    this.writing.add(work);
  }

  /** Restores one document, and counts and samples the outcome. */
  private async settle(pair: Pair, position: number): Promise<void> {
    const { live, backup, nowMicros } = this.task;
    const wanted = pair.to && (await backup.read(pair.link));
    if (wanted && isExpired(wanted, nowMicros)) {
      this.expired += 1;
      return;
    }
    const outcome = await this.restore(pair.link, wanted);
    this.result[outcome] += 1;
    if (outcome === "unchanged" || outcome === "kept") return;
    const { samples } = this;
    if (samples.length < limits.restoreSamples || position < (samples.at(-1)?.position ?? 0))
      this.keep({ position, difference: await differenceOf(pair, live, backup) });
  }

  /** Compares with the current version, not with the one at the start, and again if the document changes meanwhile. */
  private async restore(link: string, wanted: DocumentVersion | undefined): Promise<Outcome> {
    const { index, live, deleteOthers, validateOnly } = this.task;
    for (let left: number = limits.restoreAttempts; ; left -= 1) {
      const current = validateOnly ? await live.read(link) : await latest(index, link);
      const outcome = outcomeOf(current, wanted, deleteOthers);
      if (validateOnly || outcome === "unchanged" || outcome === "kept") return outcome;
      try {
        await this.write(link, current, wanted);
        return outcome;
      } catch (error) {
        const raced =
          error instanceof HostError &&
          (error.reason === "VERSION_MISMATCH" || error.reason === "DOCUMENT_EXISTS");
        if (!raced || left === 0) throw error;
      }
    }
  }

  private async write(
    link: string,
    current: DocumentVersion | undefined,
    wanted: DocumentVersion | undefined,
  ): Promise<void> {
    const { kind, body, expirationTimeMicros } = wanted ??
      current ?? { kind: "", body: "", expirationTimeMicros: 0 };
    await this.task.index.write({
      action: wanted === undefined ? "DELETE" : current === undefined ? "POST" : "PUT",
      link,
      kind,
      owner: this.task.hostId,
      body,
      mergeRule: kindDefinition(kind).mergeRule,
      ...(wanted && { expirationTimeMicros }),
      ...(current === undefined ? { revive: true } : { expectedVersion: current.version }),
    });
  }

  /** Keeps the first samples in the order of links: writes end in any order, and a dry run must list the same documents. */
  private keep(sample: Sample): void {
    this.samples.push(sample);
    this.samples.sort((a, b) => a.position - b.position);
    this.samples.length = Math.min(this.samples.length, limits.restoreSamples);
  }
}

async function latest(index: DocumentIndex, link: string): Promise<DocumentVersion | undefined> {
  const version = await index.read(link);
  return version?.action === "DELETE" ? undefined : version;
}

const isExpired = ({ expirationTimeMicros }: DocumentVersion, nowMicros: number) =>
  expirationTimeMicros > 0 && expirationTimeMicros <= nowMicros;

function outcomeOf(
  current: DocumentVersion | undefined,
  wanted: DocumentVersion | undefined,
  deleteOthers: boolean,
): Outcome {
  if (wanted === undefined)
    return current === undefined ? "unchanged" : deleteOthers ? "deleted" : "kept";
  if (current === undefined) return "created";
  const same =
    current.body === wanted.body &&
    current.kind === wanted.kind &&
    current.expirationTimeMicros === wanted.expirationTimeMicros;
  return same ? "unchanged" : "replaced";
}

function stopped(thrown: unknown, { created, replaced, deleted }: SelectionResult): HostError {
  const error = HostError.from(thrown);
  const written = created + replaced + deleted;
  return new HostError(
    error.reason,
    `${error.message.replace(/[.]?$/, ".")} ${written} documents were restored before the error. To continue, repeat the same restore.`,
    {
      metadata: { ...error.metadata, documents: String(written) },
      cause: error.cause,
    },
  );
}
