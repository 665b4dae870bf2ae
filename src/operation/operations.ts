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
  /** Name of the policy that starts the operation. Default: a client does. */
  policy?: string | undefined;
  /** A request with the same ID and the same content returns the existing operation. */
  requestId?: string;
  /** Fingerprint of the other fields of the request (fingerprint.ts). */
  fingerprint?: string;
  /** Does the work. `report` updates the progress. */
  run(signal: AbortSignal, report: Report): Promise<OperationOutcome>;
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

/** Runs operations and keeps the last limits.operations of them, also across restarts. */
export class Operations implements OperationService {
  private readonly entries = new Map<string, Entry>();
  private closing = false;

  private constructor(private readonly options: OperationsOptions) {}

  /** Loads the journal and starts to accept operations. */
  static async open(options: OperationsOptions): Promise<Operations> {
    const operations = new Operations(options);
    for (const { view, requestKey, fingerprint = "" } of await options.journal.load()) {
      operations.entries.set(view.name, {
        view,
        requestKey,
        fingerprint,
        controller: new AbortController(),
        settled: Promise.resolve(),
      });
    }
    return operations;
  }

  /**
   * Starts an operation; resolves when it is recorded. Throws OPERATION_LIMIT, SHUTTING_DOWN, and
   * REQUEST_INVALID if the request ID was used for another request.
   */
  async start(request: StartRequest): Promise<OperationView> {
    const { kind, requestId, fingerprint = "" } = request;
    const requestKey = requestId === undefined ? undefined : `${kind}\n${requestId}`;
    const repeated =
      requestKey === undefined ? undefined : this.findRepeated(request, requestKey, fingerprint);
    if (repeated) return copy(repeated);
    this.checkLimit();
    this.forgetOldest();
    const view = this.newView(request);
    const recorded = this.record(copyOf(view), requestKey, fingerprint);
    const controller = new AbortController();
    const entry: Entry = { view, controller, settled: recorded, requestKey, fingerprint };
    entry.settled = recorded.then(() => this.run(entry, request));
    this.entries.set(view.name, entry);
    await recorded;
    return copy(entry);
  }

  get(name: string): OperationView {
    return copy(this.find(name));
  }

  list(
    pageSize: number,
    pageToken?: string,
  ): { operations: OperationView[]; nextPageToken?: string } {
    const all = [...this.entries.values()].reverse();
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
  }

  async wait(name: string, timeoutMs: number, signal?: AbortSignal): Promise<OperationView> {
    const entry = this.find(name);
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
  }

  async cancel(name: string): Promise<void> {
    const entry = this.find(name);
    if (entry.view.done) return;
    entry.controller.abort(
      new HostError(
        "OPERATION_CANCELLED",
        "The operation was cancelled on request. Its partial results were removed.",
      ),
    );
    await entry.settled;
  }

  async delete(name: string): Promise<void> {
    if (!this.find(name).view.done) {
      throw new HostError(
        "OPERATION_RUNNING",
        `${name} is running. Cancel it, or wait for its end.`,
        { metadata: { operation: name } },
      );
    }
    await this.forget(name);
  }

  /** Rejects new operations, waits for running ones and cancels those that take longer than `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.closing = true;
    // Checking an index changes nothing and can be repeated, so the shutdown does not wait for it.
    for (const entry of this.running()) if (entry.view.kind === "check-index") shutDown(entry);
    const stop = new AbortController();
    await Promise.race([
      Promise.all(this.running().map(({ settled }) => settled)),
      sleep(graceMs, undefined, { signal: stop.signal }).catch(() => {}),
    ]);
    stop.abort();
    for (const entry of this.running()) shutDown(entry);
    await Promise.all(this.running().map(({ settled }) => settled));
  }

  private find(name: string): Entry {
    const entry = this.entries.get(name);
    if (!entry)
      throw new HostError(
        "OPERATION_NOT_FOUND",
        `Operation ${name} not found (unknown or expired).`,
      );
    return entry;
  }

  private running(): Entry[] {
    return [...this.entries.values()].filter(({ view }) => !view.done);
  }

  /** Returns the operation that an earlier request with the same ID started. Throws if the requests differ. */
  private findRepeated(
    { kind, indexLink, target, requestId }: StartRequest,
    requestKey: string,
    fingerprint: string,
  ): Entry | undefined {
    const entry = [...this.entries.values()].find((each) => each.requestKey === requestKey);
    if (
      entry === undefined ||
      (entry.view.target === target &&
        entry.view.indexLink === indexLink &&
        entry.fingerprint === fingerprint)
    )
      return entry;
    throw new HostError(
      "REQUEST_INVALID",
      `Request ID ${requestId} was already used for a different ${kind} request. Use a new ID.`,
      { metadata: { field: "request_id" } },
    );
  }

  private checkLimit(): void {
    if (this.closing)
      throw new HostError(
        "SHUTTING_DOWN",
        "The host is shutting down and does not accept new operations.",
      );
    if (this.running().length >= limits.runningOperations) {
      throw new HostError(
        "OPERATION_LIMIT",
        `The limit of ${limits.runningOperations} running operations is reached. Retry when one of them has ended.`,
      );
    }
  }

  private forgetOldest(): void {
    for (const [name, { view }] of this.entries) {
      if (this.entries.size < limits.operations) return;
      if (view.done) this.forget(name).catch(this.options.onJournalError);
    }
  }

  private async forget(name: string): Promise<void> {
    this.entries.delete(name);
    await this.options.journal.remove(name);
  }

  private newView({ kind, indexLink, target, policy }: StartRequest): OperationView {
    const { platform } = this.options;
    return {
      name: `operations/${platform.randomId()}`,
      kind,
      indexLink,
      target,
      ...(policy !== undefined && { policy }),
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
  }

  /** Does not throw, because a backup must also run when the disk is full. */
  private async record(
    view: OperationView,
    requestKey: string | undefined,
    fingerprint: string,
  ): Promise<void> {
    const { journal, onJournalError } = this.options;
    await journal
      .write({ view, ...(requestKey !== undefined && { requestKey, fingerprint }) })
      .catch(onJournalError);
  }

  /** Does the work of an operation and records how it ended. */
  private async run(entry: Entry, request: StartRequest): Promise<void> {
    const { view } = entry;
    const { signal } = entry.controller;
    const report: Report = ({ warning, ...change }) => {
      Object.assign(view.progress, change);
      if (warning !== undefined) view.progress.warnings.push(warning);
    };
    let outcome: Pick<OperationView, "result" | "error">;
    try {
      outcome = { result: await request.run(signal, report) };
    } catch (error) {
      outcome = { error: HostError.from(signal.aborted ? signal.reason : error) };
    }
    await this.finish(entry, outcome);
  }

  private async finish(
    { view, requestKey, fingerprint }: Entry,
    outcome: Pick<OperationView, "result" | "error">,
  ): Promise<void> {
    const { platform, onSettled } = this.options;
    const ended = {
      ...view,
      ...outcome,
      progress: { ...view.progress, stage: outcome.error ? "failed" : "done" },
      done: true,
      endTimeMicros: platform.nowMicros(),
    };
    // Recorded before it is reported, so that a restarted host also reports the end.
    await this.record(ended, requestKey, fingerprint);
    Object.assign(view, ended);
    onSettled(view);
  }
}

function copy({ view }: Entry): OperationView {
  return copyOf(view);
}

function copyOf(view: OperationView): OperationView {
  return { ...view, progress: { ...view.progress, warnings: [...view.progress.warnings] } };
}

function shutDown({ controller }: Entry): void {
  controller.abort(
    new HostError("SHUTTING_DOWN", "The host was shut down before the operation ended."),
  );
}
