import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../errors.js";
import type { Platform } from "../io/platform.js";
import { limits } from "../limits.js";
import type { OperationJournal } from "./journal.js";
import type {
  OperationKind,
  OperationOutcome,
  OperationService,
  OperationView,
} from "./operation.js";
import type { Report } from "../backup/progress.js";

/** An operation to start. */
export interface StartRequest {
  kind: OperationKind;
  indexLink: string;
  /** Without credentials. */
  target: string;
  /** A request with the same ID and the same content returns the existing operation. */
  requestId?: string;
  /** Fingerprint of the other fields of the request (fingerprint.ts). */
  fingerprint?: string;
  /** Does the work. `report` updates the progress. */
  run(signal: AbortSignal, report: Report): Promise<OperationOutcome>;
}

/** Runs operations and keeps the last limits.operations of them, also across restarts. */
export interface Operations extends OperationService {
  /**
   * Starts an operation; resolves when it is recorded. Throws OPERATION_LIMIT, SHUTTING_DOWN, and
   * REQUEST_INVALID if the request ID was used for another request.
   */
  start(request: StartRequest): Promise<OperationView>;
  /**
   * Rejects new operations, waits for running ones and cancels those that take longer than
   * `graceMs`.
   */
  close(graceMs: number): Promise<void>;
}

interface Entry {
  view: OperationView;
  controller: AbortController;
  settled: Promise<void>;
  requestKey: string | undefined;
  fingerprint: string;
}

/** Options of Operations. */
export interface OperationsOptions {
  platform: Pick<Platform, "nowMicros" | "randomId">;
  journal: OperationJournal;
  /** Called when an operation has ended. */
  onSettled(view: OperationView): void;
  /** Called when the journal cannot be written. The operation continues. */
  onJournalError(error: unknown): void;
}

/** Loads the journal and starts to accept operations. */
export async function openOperations({
  platform,
  journal,
  onSettled,
  onJournalError,
}: OperationsOptions): Promise<Operations> {
  const entries = new Map<string, Entry>();
  let closing = false;
  for (const { view, requestKey, fingerprint = "" } of await journal.load()) {
    entries.set(view.name, {
      view,
      requestKey,
      fingerprint,
      controller: new AbortController(),
      settled: Promise.resolve(),
    });
  }

  const running = () => [...entries.values()].filter(({ view }) => !view.done);
  const copyOf = (view: OperationView): OperationView => ({
    ...view,
    progress: { ...view.progress, warnings: [...view.progress.warnings] },
  });
  const copy = ({ view }: Entry) => copyOf(view);

  function find(name: string): Entry {
    const entry = entries.get(name);
    if (!entry)
      throw new HostError(
        "OPERATION_NOT_FOUND",
        `Operation ${name} not found (unknown or expired).`,
      );
    return entry;
  }

  function forgetOldest(): void {
    for (const [name, { view }] of entries) {
      if (entries.size < limits.operations) return;
      if (view.done) forget(name).catch(onJournalError);
    }
  }

  async function forget(name: string): Promise<void> {
    entries.delete(name);
    await journal.remove(name);
  }

  /** Does not throw, because a backup must also run when the disk is full. */
  async function record(
    view: OperationView,
    requestKey: string | undefined,
    fingerprint: string,
  ): Promise<void> {
    await journal
      .write({ view, ...(requestKey !== undefined && { requestKey, fingerprint }) })
      .catch(onJournalError);
  }

  async function start({
    kind,
    indexLink,
    target,
    requestId,
    fingerprint = "",
    run,
  }: StartRequest): Promise<OperationView> {
    const requestKey = requestId === undefined ? undefined : `${kind}\n${requestId}`;
    if (requestKey !== undefined) {
      for (const entry of entries.values()) {
        if (entry.requestKey !== requestKey) continue;
        if (
          entry.view.target === target &&
          entry.view.indexLink === indexLink &&
          entry.fingerprint === fingerprint
        )
          return copy(entry);
        throw new HostError(
          "REQUEST_INVALID",
          `Request ID ${requestId} was already used for a different ${kind} request. Use a new ID.`,
          { metadata: { field: "request_id" } },
        );
      }
    }
    if (closing)
      throw new HostError(
        "SHUTTING_DOWN",
        "The host is shutting down and does not accept new operations.",
      );
    if (running().length >= limits.runningOperations) {
      throw new HostError(
        "OPERATION_LIMIT",
        `The limit of ${limits.runningOperations} running operations is reached. Retry when one of them has ended.`,
      );
    }
    forgetOldest();
    const controller = new AbortController();
    const view: OperationView = {
      name: `operations/${platform.randomId()}`,
      kind,
      indexLink,
      target,
      startTimeMicros: platform.nowMicros(),
      done: false,
      progress: {
        stage: "starting",
        bytesDone: 0,
        bytesTotal: 0,
        documentsDone: 0,
        documentsTotal: 0,
        warnings: [],
      },
    };
    const report: Report = ({ warning, ...progress }) => {
      Object.assign(view.progress, progress);
      if (warning !== undefined) view.progress.warnings.push(warning);
    };
    const finish = async (outcome: Pick<OperationView, "result" | "error">) => {
      const progress = { ...view.progress, stage: outcome.error ? "failed" : "done" };
      const ended = {
        ...view,
        ...outcome,
        progress,
        done: true,
        endTimeMicros: platform.nowMicros(),
      };
      // Recorded before it is reported, so that a restarted host also reports the end.
      await record(ended, requestKey, fingerprint);
      Object.assign(view, ended);
      onSettled(view);
    };
    const recorded = record(copyOf(view), requestKey, fingerprint);
    const settled = recorded
      .then(() => run(controller.signal, report))
      .then(
        (result) => finish({ result }),
        (error: unknown) =>
          finish({
            error: HostError.from(controller.signal.aborted ? controller.signal.reason : error),
          }),
      );
    const entry: Entry = { view, controller, settled, requestKey, fingerprint };
    entries.set(view.name, entry);
    await recorded;
    return copy(entry);
  }

  const cancelled = (why: string) => new HostError("OPERATION_CANCELLED", why);

  return {
    start,
    get: (name) => copy(find(name)),
    list(pageSize, pageToken) {
      const all = [...entries.values()].reverse();
      const from =
        pageToken === undefined || pageToken === ""
          ? 0
          : all.findIndex(({ view }) => view.name === pageToken);
      if (from < 0)
        throw new HostError(
          "PAGE_TOKEN_INVALID",
          "The page token refers to an operation that has expired. Restart the listing at its first page.",
        );
      const page = all.slice(from, from + pageSize);
      const next = all[from + pageSize]?.view.name;
      return { operations: page.map(copy), ...(next !== undefined && { nextPageToken: next }) };
    },
    async wait(name, timeoutMs, signal) {
      const entry = find(name);
      const stop = new AbortController();
      const abort = () => stop.abort();
      signal?.addEventListener("abort", abort, { once: true });
      try {
        await Promise.race([
          entry.settled,
          sleep(timeoutMs, undefined, { signal: stop.signal }).catch(() => {}),
        ]);
      } finally {
        signal?.removeEventListener("abort", abort);
        stop.abort();
      }
      return copy(entry);
    },
    async cancel(name) {
      const entry = find(name);
      if (entry.view.done) return;
      entry.controller.abort(
        cancelled("The operation was cancelled on request. Its partial results were removed."),
      );
      await entry.settled;
    },
    async delete(name) {
      if (!find(name).view.done) {
        throw new HostError(
          "OPERATION_RUNNING",
          `${name} is running. Cancel it, or wait for its end.`,
          { metadata: { operation: name } },
        );
      }
      await forget(name);
    },
    async close(graceMs) {
      closing = true;
      // Checking an index changes nothing and can be repeated, so the shutdown does not wait for
      // it.
      const shutDown = (entry: Entry) =>
        entry.controller.abort(
          new HostError("SHUTTING_DOWN", "The host was shut down before the operation ended."),
        );
      for (const entry of running()) if (entry.view.kind === "check-index") shutDown(entry);
      const stop = new AbortController();
      await Promise.race([
        Promise.all(running().map(({ settled }) => settled)),
        sleep(graceMs, undefined, { signal: stop.signal }).catch(() => {}),
      ]);
      stop.abort();
      for (const entry of running()) shutDown(entry);
      await Promise.all(running().map(({ settled }) => settled));
    },
  };
}
