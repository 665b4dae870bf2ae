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

export interface StartRequest {
  kind: OperationKind;
  indexLink: string;
  /** Without credentials. */
  target: string;
  /** A second start with the same id and request finds the first one's operation. */
  requestId?: string;
  /** What else of the request makes it the same one. */
  fingerprint?: string;
  run(signal: AbortSignal, report: Report): Promise<OperationOutcome>;
}

/** Work that continues when its caller leaves. The last limits.operations operations are kept, across restarts too. */
export interface Operations extends OperationService {
  /** Resolves when the work has started and is recorded. */
  start(request: StartRequest): Promise<OperationView>;
  /** Takes no new work, waits for what runs, cancels what is not done in time. */
  close(graceMs: number): Promise<void>;
}

interface Entry {
  view: OperationView;
  controller: AbortController;
  settled: Promise<void>;
  requestKey: string | undefined;
  fingerprint: string;
}

export interface OperationsOptions {
  platform: Pick<Platform, "nowMicros" | "randomId">;
  journal: OperationJournal;
  /** Called with each operation that has ended. */
  onSettled(view: OperationView): void;
  /** Called if the journal cannot be written; the operation continues. */
  onJournalError(error: unknown): void;
}

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
        `There is no operation ${name}: it never was, or it is one of those no longer remembered.`,
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

  /** The work continues even if it cannot be recorded: a backup is needed most when the disk is full. */
  async function note(
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
          `The request id ${requestId} was used for another ${kind}; use a new one.`,
          { metadata: { field: "request_id" } },
        );
      }
    }
    if (closing)
      throw new HostError("SHUTTING_DOWN", "The host is shutting down and takes no new work.");
    if (running().length >= limits.runningOperations) {
      throw new HostError(
        "OPERATION_LIMIT",
        `${limits.runningOperations} operations are running, as many as the host allows; wait for one to end.`,
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
      // Before the end is reported, so that what was reported as done is done after a restart too.
      await note(ended, requestKey, fingerprint);
      Object.assign(view, ended);
      onSettled(view);
    };
    const noted = note(copyOf(view), requestKey, fingerprint);
    const settled = noted
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
    await noted;
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
          "The page token is of an operation that is no longer remembered; start the listing again.",
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
        cancelled("The operation was cancelled on request; what it had written was removed."),
      );
      await entry.settled;
    },
    async delete(name) {
      if (!find(name).view.done) {
        throw new HostError(
          "OPERATION_RUNNING",
          `${name} is running; cancel it first, or wait for its end.`,
          { metadata: { operation: name } },
        );
      }
      await forget(name);
    },
    async close(graceMs) {
      closing = true;
      // A check of an index that is about to be closed changes nothing and can be repeated.
      const shutDown = (entry: Entry) =>
        entry.controller.abort(
          new HostError("SHUTTING_DOWN", "The host was shut down before the operation was done."),
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
