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
  const { index, live, backup, selection, validateOnly } = task;
  const result: SelectionResult = {
    created: 0,
    replaced: 0,
    unchanged: 0,
    deleted: 0,
    kept: 0,
    differences: [],
  };
  const samples: Sample[] = [];
  let expired = 0;
  let done = 0;
  const writing = new Set<Promise<void>>();
  const failures: unknown[] = [];

  async function settle(pair: Pair, position: number): Promise<void> {
    const wanted = pair.to && (await backup.read(pair.link));
    if (wanted && isExpired(wanted, task.nowMicros)) {
      expired += 1;
      return;
    }
    const outcome = await putBack(pair, wanted);
    result[outcome] += 1;
    if (outcome === "unchanged" || outcome === "kept") return;
    if (samples.length < limits.restoreSamples || position < (samples.at(-1)?.position ?? 0))
      keep({ position, difference: await differenceOf(pair, live, backup) });
  }

  /** Compares with the current version, not with the one at the start, and again if the document changes meanwhile. */
  async function putBack({ link }: Pair, wanted: DocumentVersion | undefined): Promise<Outcome> {
    for (let left: number = limits.restoreAttempts; ; left -= 1) {
      const current = validateOnly ? await live.read(link) : await latest(index, link);
      const outcome = outcomeOf(current, wanted, task.deleteOthers);
      if (validateOnly || outcome === "unchanged" || outcome === "kept") return outcome;
      try {
        await write(link, current, wanted);
        return outcome;
      } catch (error) {
        const raced =
          error instanceof HostError &&
          (error.reason === "VERSION_MISMATCH" || error.reason === "DOCUMENT_EXISTS");
        if (!raced || left === 0) throw error;
      }
    }
  }

  async function write(
    link: string,
    current: DocumentVersion | undefined,
    wanted: DocumentVersion | undefined,
  ): Promise<void> {
    const { kind, body, expirationTimeMicros } = wanted ??
      current ?? { kind: "", body: "", expirationTimeMicros: 0 };
    await index.write({
      action: wanted === undefined ? "DELETE" : current === undefined ? "POST" : "PUT",
      link,
      kind,
      owner: task.hostId,
      body,
      mergeRule: kindDefinition(kind).mergeRule,
      ...(wanted && { expirationTimeMicros }),
      ...(current === undefined ? { revive: true } : { expectedVersion: current.version }),
    });
  }

  /** Keeps the first samples in the order of links: writes end in any order, and a dry run must list the same documents. */
  function keep(sample: Sample): void {
    samples.push(sample);
    samples.sort((a, b) => a.position - b.position);
    samples.length = Math.min(samples.length, limits.restoreSamples);
  }

  report({ stage: "comparing" });
  for await (const pair of pairsOf(live, backup, selection, signal)) {
    signal.throwIfAborted();
    if (failures.length > 0) break;
    if (isSameVersion(pair)) result.unchanged += 1;
    else {
      const work: Promise<void> = settle(pair, done)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => writing.delete(work));
      writing.add(work);
      if (writing.size >= limits.restoreBatchDocuments) await Promise.race(writing);
    }
    done += 1;
    if (done % 1000 === 0)
      report({ stage: validateOnly ? "comparing" : "writing", documentsDone: done });
  }
  await Promise.all(writing);
  result.differences = samples.map(({ difference }) => difference);
  if (failures.length > 0) throw stopped(failures[0], result);
  const warnings =
    expired === 0
      ? []
      : [`Not put back, because they have expired since: ${expired} documents of the backup.`];
  return { selection: result, warnings };
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
