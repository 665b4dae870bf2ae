import { HostError, causeToLog } from "../../errors.js";
import { limits } from "../../limits.js";
import type { Client } from "../../security/clients.js";
import { createShares, type Hold, type Shortage } from "../../security/shares.js";
import type { RunInSlot } from "../../engine/engine.js";
import type { Query, QuerySpecification } from "./specification.js";
import { createFairScheduler } from "./fair-scheduler.js";
import { conditionOf, pinQuery, type PinnedQuery, type QueriedIndex } from "./query.js";

/** Stage of a query task, as in Xenon. */
export type QueryStage = "CREATED" | "STARTED" | "FINISHED" | "FAILED" | "CANCELLED";

/**
 * Xenon's factories of query tasks: for all hosts and for the local host. With a single host, both
 * return the same results.
 */
export const queryTaskFactories = ["/core/query-tasks", "/core/local-query-tasks"] as const;
/** Path of a query task factory. */
export type QueryTaskFactory = (typeof queryTaskFactories)[number];

/** Request to create a query task. */
export interface QueryRequest {
  factory: QueryTaskFactory;
  indexLink: string;
  specification: QuerySpecification;
  /** Name of the task. Default: generated. */
  id?: string;
  /** Microseconds since 1970. Default: limits.queryTaskExpiryMs from now. */
  expirationTimeMicros?: number;
  /** Owner of the task; undefined if clients cannot be distinguished. */
  client?: Client;
}

/**
 * A query and its state. Results are not stored: they are read from the index at the same position
 * whenever requested.
 */
export interface QueryTask {
  /** Link below one of the factories. */
  readonly link: string;
  readonly indexLink: string;
  readonly specification: QuerySpecification;
  readonly expirationTimeMicros: number;
  stage: QueryStage;
  /** Number of changes of the stage. */
  version: number;
  updateTimeMicros: number;
  durationMicros?: number;
  failure?: HostError;
  /** Set once FINISHED. */
  query?: PinnedQuery;
  /**
   * With COUNT, the number of results. For a paged query, 0 if it has no results, otherwise
   * positive.
   */
  count?: number;
}

/** Dependencies of QueryTasks. */
export interface QueryTasksOptions {
  /** Returns the index currently open under a link. Throws INDEX_NOT_FOUND. */
  storeOf: (indexLink: string) => QueriedIndex;
  nowMicros: () => number;
  newId: () => string;
  /** Called with internal errors in background tasks. */
  onInternalError: (thrown: unknown) => void;
}

interface Entry {
  task: QueryTask;
  /** Whether the task is visible by its link; other tasks are stored only for their pages. */
  listed: boolean;
  bytes: number;
  holds: Hold[];
  controller: AbortController;
}

/**
 * The query tasks of a host, in memory, bounded in number, size and time. Tasks are lost on restart.
 */
export class QueryTasks {
  private readonly entries = new Map<string, Entry>();
  private readonly scheduler = createFairScheduler(limits.runningQueries);
  /** Background tasks that have not ended. */
  private readonly running = new Set<Promise<void>>();
  private bytes = 0;
  private readonly counts = createShares(
    { total: limits.queryTasks, perClient: limits.queryTasksPerClient, reserved: 1 },
    limitReached,
  );
  private readonly sizes = createShares(
    {
      total: limits.queryTaskBytes,
      perClient: limits.queryTaskBytesPerClient,
      reserved: limits.queryBodyBytes,
    },
    limitReached,
  );

  constructor(private readonly options: QueryTasksOptions) {}

  /**
   * Runs a query and waits for it. A paged query is stored until it expires. Throws REQUEST_INVALID
   * for an unknown index, and QUERY_LIMIT if too many tasks are stored.
   */
  async run(request: QueryRequest, signal: AbortSignal): Promise<QueryTask> {
    const task = this.createTask(request);
    this.setStage(task, "FINISHED", await this.evaluate(task, signal));
    task.version = 0;
    if (isPaged(task.specification)) this.store(task, false, request.client);
    return task;
  }

  /** Starts a query in the background. Throws DOCUMENT_EXISTS if the link is in use. */
  start(request: QueryRequest): QueryTask {
    this.dropExpired();
    const link = request.id === undefined ? undefined : linkOf(request.factory, request.id);
    if (link !== undefined && this.entries.has(link))
      throw new HostError("DOCUMENT_EXISTS", `Service already started: ${link} stage: CREATED`);
    const entry = this.store(this.createTask(request), true, request.client);
    const run = this.execute(entry).finally(() => this.running.delete(run));
    this.running.add(run);
    return { ...entry.task };
  }

  /** Returns a started task. Throws DOCUMENT_NOT_FOUND if it is unknown or expired. */
  get(link: string): QueryTask {
    const entry = this.find(link);
    if (!entry.listed) throw notFound(link);
    return this.withCheckedIndex(entry.task);
  }

  /**
   * Returns a stored task, whether it was started or run. Throws DOCUMENT_NOT_FOUND if it is
   * unknown or expired.
   */
  paged(link: string): QueryTask {
    return this.find(link).task;
  }

  /** Lists the started tasks of a factory. */
  list(factory: QueryTaskFactory): QueryTask[] {
    this.dropExpired();
    return [...this.entries.values()]
      .filter(({ listed, task }) => listed && task.link.startsWith(`${factory}/`))
      .map((entry) => this.withCheckedIndex(entry.task));
  }

  /** Cancels a task. Throws REQUEST_INVALID if it has ended. */
  cancel(
    link: string,
    failure = new HostError("OPERATION_CANCELLED", "The query was cancelled."),
  ): QueryTask {
    const { task, controller } = this.find(link);
    if (task.stage === "FINISHED")
      throw new HostError(
        "REQUEST_INVALID",
        "The query is finished. Its results remain until it expires; DELETE the task to remove them.",
      );
    if (task.stage === "CANCELLED" || task.stage === "FAILED")
      throw new HostError("REQUEST_INVALID", "new stage must be greater than current");
    this.setStage(task, "CANCELLED", { failure });
    controller.abort(failure);
    return task;
  }

  /** Cancels and deletes a task. Returns false if it does not exist. */
  remove(link: string): boolean {
    const entry = this.entries.get(link);
    if (entry !== undefined) this.drop(entry);
    return entry !== undefined;
  }

  /** Deletes all tasks and waits until the running ones have ended. */
  async close(): Promise<void> {
    for (const entry of [...this.entries.values()]) this.drop(entry);
    await Promise.all(this.running);
  }

  private find(link: string): Entry {
    this.dropExpired();
    const entry = this.entries.get(link);
    if (entry === undefined) throw notFound(link);
    return entry;
  }

  private indexOf(link: string): QueriedIndex {
    try {
      return this.options.storeOf(link);
    } catch (thrown) {
      if (!(thrown instanceof HostError) || thrown.reason !== "INDEX_NOT_FOUND") throw thrown;
      throw new HostError(
        "REQUEST_INVALID",
        `indexLink ${JSON.stringify(link.slice(0, 200))} is not an index of this host.`,
        { cause: thrown },
      );
    }
  }

  private createTask({
    factory,
    id = this.options.newId(),
    indexLink,
    specification,
    expirationTimeMicros,
  }: QueryRequest): QueryTask {
    this.indexOf(indexLink);
    conditionOf(specification);
    const now = this.options.nowMicros();
    return {
      link: linkOf(factory, id),
      indexLink,
      specification,
      expirationTimeMicros: expirationTimeMicros ?? now + limits.queryTaskExpiryMs * 1000,
      stage: "CREATED",
      version: 0,
      updateTimeMicros: now,
    };
  }

  private setStage(task: QueryTask, stage: QueryStage, more: Partial<QueryTask> = {}): void {
    const updateTimeMicros = this.options.nowMicros();
    Object.assign(task, more, { stage, version: task.version + 1, updateTimeMicros });
  }

  private store(task: QueryTask, listed: boolean, client: Client | undefined): Entry {
    this.dropExpired();
    const size = JSON.stringify(task.specification.query).length + 1000;
    if (this.entries.size >= limits.queryTasks || this.bytes + size > limits.queryTaskBytes) {
      throw new HostError(
        "QUERY_LIMIT",
        `Limit of query tasks reached: ${this.entries.size} are stored. Delete some, or use shorter expiration times.`,
      );
    }
    const entry: Entry = {
      task,
      listed,
      bytes: size,
      holds: client ? this.charge(client, size) : [],
      controller: new AbortController(),
    };
    this.entries.set(task.link, entry);
    this.bytes += size;
    return entry;
  }

  /** Charges a new task to the client. */
  private charge(client: Client, size: number): Hold[] {
    const [count, held] = [this.counts.open(client), this.sizes.open(client)];
    count.add(1);
    try {
      held.add(size);
    } catch (error) {
      count.release();
      throw error;
    }
    return [count, held];
  }

  private drop(entry: Entry): void {
    if (!this.entries.delete(entry.task.link)) return;
    this.bytes -= entry.bytes;
    for (const hold of entry.holds) hold.release();
    entry.controller.abort(new HostError("OPERATION_CANCELLED", "The query task was deleted."));
  }

  private dropExpired(): void {
    const now = this.options.nowMicros();
    for (const entry of this.entries.values())
      if (entry.task.expirationTimeMicros <= now) this.drop(entry);
  }

  private async execute({ task, controller: { signal } }: Entry): Promise<void> {
    const cost = termsOf(task.specification.query) * limits.queryTermCostMs;
    const { run } = this.scheduler.add(cost, signal);
    try {
      await run(async () => this.setStage(task, "STARTED"));
      const found = await this.evaluate(task, signal, run);
      // Scans results that are returned in one response, so that a finished task is known to be
      // readable.
      if (found.count === undefined) await found.query?.count(signal, run);
      if (isCancelled(task)) return;
      this.setStage(task, "FINISHED", found);
    } catch (thrown) {
      const failure = HostError.from(thrown);
      const internal = causeToLog(failure);
      if (internal !== undefined) this.options.onInternalError(internal);
      if (!isCancelled(task)) this.setStage(task, "FAILED", { failure });
    }
  }

  /** Pins the query and counts its results if required. */
  private async evaluate(
    task: QueryTask,
    signal: AbortSignal,
    slot?: RunInSlot,
  ): Promise<Pick<QueryTask, "query" | "count" | "durationMicros">> {
    const begun = process.hrtime.bigint();
    const query = await pinQuery(this.indexOf(task.indexLink), task.specification);
    const count = await countIfRequired(task.specification, query, signal, slot);
    const durationMicros = Math.max(1, Number((process.hrtime.bigint() - begun) / 1000n));
    return { query, durationMicros, ...(count !== undefined && { count }) };
  }

  /**
   * Fails a finished task whose index was restored since, because its results are no longer
   * readable. Counts remain valid.
   */
  private withCheckedIndex(task: QueryTask): QueryTask {
    if (task.stage !== "FINISHED" || task.specification.options.has("COUNT")) return task;
    try {
      task.query?.check();
    } catch (thrown) {
      this.setStage(task, "FAILED", { failure: HostError.from(thrown) });
    }
    return task;
  }
}

/** Whether the results are returned in pages with their own links. */
export function isPaged({ resultLimit, options }: QuerySpecification): boolean {
  return resultLimit !== undefined && !options.has("TOP_RESULTS") && !options.has("COUNT");
}

async function countIfRequired(
  spec: QuerySpecification,
  query: PinnedQuery,
  signal: AbortSignal,
  slot?: RunInSlot,
): Promise<number | undefined> {
  if (spec.options.has("COUNT")) return query.count(signal, slot);
  if (!isPaged(spec)) return undefined;
  return (await query.page({ limit: 1, expand: false }, signal, slot)).documents.length;
}

function termsOf(query: Query): number {
  return "clauses" in query ? query.clauses.reduce((sum, clause) => sum + termsOf(clause), 0) : 1;
}

function isCancelled(task: QueryTask): boolean {
  return task.stage === "CANCELLED";
}

function limitReached(shortage: Shortage): HostError {
  const whose = shortage === "client" ? "of this token" : "of all tokens except admin tokens";
  return new HostError(
    "QUERY_LIMIT",
    `Limit of stored query tasks ${whose} reached. Delete some, or use shorter expiration times.`,
  );
}

function linkOf(factory: QueryTaskFactory, id: string): string {
  return `${factory}/${id}`;
}

function notFound(link: string): HostError {
  return new HostError("DOCUMENT_NOT_FOUND", `Service not found: ${link}`, { metadata: { link } });
}
