import { HostError, causeToLog } from "../../errors.js";
import { limits } from "../../limits.js";
import type { Client } from "../../security/clients.js";
import { createShares, type Hold, type Shortage } from "../../security/shares.js";
import type { Turn } from "../../engine/engine.js";
import type { Query, QuerySpecification } from "./specification.js";
import { createFairScheduler } from "./fair-scheduler.js";
import { conditionOf, pinQuery, type PinnedQuery, type QueriedIndex } from "./query.js";

export type QueryStage = "CREATED" | "STARTED" | "FINISHED" | "FAILED" | "CANCELLED";

/** Xenon's two factories of query tasks: what is asked of all hosts, and of this one. With one host they find the same. */
export const queryTaskFactories = ["/core/query-tasks", "/core/local-query-tasks"] as const;
export type QueryTaskFactory = (typeof queryTaskFactories)[number];

export interface QueryRequest {
  factory: QueryTaskFactory;
  indexLink: string;
  specification: QuerySpecification;
  /** The name of the task; one is made up where it is absent. */
  id?: string;
  /** Microseconds since 1970; absent: limits.queryTaskMs from now. */
  expirationTimeMicros?: number;
  /** Whose it is; absent where clients cannot be told apart. */
  client?: Client;
}

/** A query and how far it is. Its documents are not kept: they are read again, at the same position, whenever they are asked for. */
export interface QueryTask {
  /** Below one of the factories. */
  readonly link: string;
  readonly indexLink: string;
  readonly specification: QuerySpecification;
  readonly expirationTimeMicros: number;
  stage: QueryStage;
  /** How often the stage changed. */
  version: number;
  updateTimeMicros: number;
  durationMicros?: number;
  failure?: HostError;
  /** From FINISHED on. */
  query?: PinnedQuery;
  /** With COUNT: how many. Of a query in pages: 0 when there is none, else more. */
  count?: number;
}

export interface QueryTasks {
  /**
   * Runs a query for a caller who waits. One that is answered in pages is remembered until it expires.
   * REQUEST_INVALID for an index that is not there, QUERY_LIMIT where too many are remembered.
   */
  run(request: QueryRequest, signal: AbortSignal): Promise<QueryTask>;
  /** Runs a query in the background, to be asked for by its link. DOCUMENT_EXISTS where that is taken. */
  start(request: QueryRequest): QueryTask;
  /** DOCUMENT_NOT_FOUND for one that never was or is expired. */
  get(link: string): QueryTask;
  /** A query that is answered in pages, whoever runs it. */
  paged(link: string): QueryTask;
  list(factory: QueryTaskFactory): QueryTask[];
  /** REQUEST_INVALID for one that is over. */
  cancel(link: string, failure?: HostError): QueryTask;
  /** Cancels and forgets it; false when there is none. */
  remove(link: string): boolean;
  /** Cancels what runs and waits for its end. */
  close(): Promise<void>;
}

export interface QueryTasksOptions {
  /** The index that is open under a link now; throws INDEX_NOT_FOUND. */
  storeOf: (indexLink: string) => QueriedIndex;
  nowMicros: () => number;
  newId: () => string;
  /** Hears of a failure of the host in a task whose request was answered. */
  onInternalError: (thrown: unknown) => void;
}

interface Entry {
  task: QueryTask;
  /** Whether the task can be asked for; the others are there for their pages. */
  listed: boolean;
  bytes: number;
  holds: Hold[];
  controller: AbortController;
}

/** Query tasks in memory, bounded in number, size and time; a restart forgets them. */
export function createQueryTasks({
  storeOf,
  nowMicros,
  newId,
  onInternalError,
}: QueryTasksOptions): QueryTasks {
  const entries = new Map<string, Entry>();
  const turns = createFairScheduler(limits.runningQueries);
  /** Those that are begun, each of which is waiting for a turn or has one. */
  const running = new Set<Promise<void>>();
  let bytes = 0;
  const counts = createShares(
    { total: limits.queryTasks, perClient: limits.queryTasksPerClient, reserved: 1 },
    tooMany,
  );
  const sizes = createShares(
    {
      total: limits.queryTaskBytes,
      perClient: limits.queryTaskBytesPerClient,
      reserved: limits.queryBodyBytes,
    },
    tooMany,
  );

  function indexOf(link: string): QueriedIndex {
    try {
      return storeOf(link);
    } catch (thrown) {
      if (!(thrown instanceof HostError) || thrown.reason !== "INDEX_NOT_FOUND") throw thrown;
      throw new HostError(
        "REQUEST_INVALID",
        `indexLink ${JSON.stringify(link.slice(0, 200))} is no index of this host.`,
        { cause: thrown },
      );
    }
  }

  function made({
    factory,
    id = newId(),
    indexLink,
    specification,
    expirationTimeMicros,
  }: QueryRequest): QueryTask {
    indexOf(indexLink);
    conditionOf(specification);
    const now = nowMicros();
    return {
      link: linkOf(factory, id),
      indexLink,
      specification,
      expirationTimeMicros: expirationTimeMicros ?? now + limits.queryTaskMs * 1000,
      stage: "CREATED",
      version: 0,
      updateTimeMicros: now,
    };
  }

  /** What the client takes by one more task. */
  function take(client: Client, size: number): Hold[] {
    const [count, held] = [counts.open(client), sizes.open(client)];
    count.add(1);
    try {
      held.add(size);
    } catch (error) {
      count.release();
      throw error;
    }
    return [count, held];
  }

  function keep(task: QueryTask, listed: boolean, client: Client | undefined): Entry {
    dropExpired();
    const size = JSON.stringify(task.specification.query).length + 1000;
    if (entries.size >= limits.queryTasks || bytes + size > limits.queryTaskBytes) {
      throw new HostError(
        "QUERY_LIMIT",
        `${entries.size} query tasks are remembered, as many as the host holds; delete some, or let them expire sooner.`,
      );
    }
    const entry: Entry = {
      task,
      listed,
      bytes: size,
      holds: client ? take(client, size) : [],
      controller: new AbortController(),
    };
    entries.set(task.link, entry);
    bytes += size;
    return entry;
  }

  function drop(entry: Entry): void {
    if (!entries.delete(entry.task.link)) return;
    bytes -= entry.bytes;
    for (const hold of entry.holds) hold.release();
    entry.controller.abort(new HostError("OPERATION_CANCELLED", "The query task was deleted."));
  }

  function dropExpired(): void {
    const now = nowMicros();
    for (const entry of entries.values()) if (entry.task.expirationTimeMicros <= now) drop(entry);
  }

  function entryOf(link: string): Entry {
    dropExpired();
    const entry = entries.get(link);
    if (entry === undefined) throw notFound(link);
    return entry;
  }

  function become(task: QueryTask, stage: QueryStage, more: Partial<QueryTask> = {}): void {
    Object.assign(task, more, { stage, version: task.version + 1, updateTimeMicros: nowMicros() });
  }

  /** Finds out what has to be known before the first document is read. */
  async function answer(
    task: QueryTask,
    signal: AbortSignal,
    turn?: Turn,
  ): Promise<Pick<QueryTask, "query" | "count" | "durationMicros">> {
    const begun = process.hrtime.bigint();
    const query = await pinQuery(indexOf(task.indexLink), task.specification);
    const count = await counted(task.specification, query, signal, turn);
    const durationMicros = Math.max(1, Number((process.hrtime.bigint() - begun) / 1000n));
    return { query, durationMicros, ...(count !== undefined && { count }) };
  }

  async function execute({ task, controller: { signal } }: Entry): Promise<void> {
    const { take } = turns.join(termsOf(task.specification.query) * limits.queryTermMs, signal);
    try {
      await take(async () => become(task, "STARTED"));
      // A result in one answer is gone through once, so that a finished task is one whose documents can be read.
      const found = await answer(task, signal, take);
      if (found.count === undefined) await found.query?.count(signal, take);
      if (isOver(task)) return;
      become(task, "FINISHED", found);
    } catch (thrown) {
      const failure = HostError.from(thrown);
      const untold = causeToLog(failure);
      if (untold !== undefined) onInternalError(untold);
      if (!isOver(task)) become(task, "FAILED", { failure });
    }
  }

  /** Of what was found in an index that was restored since, no document can be read. A count is one whatever comes after it. */
  function checked(task: QueryTask): QueryTask {
    if (task.stage !== "FINISHED" || task.specification.options.has("COUNT")) return task;
    try {
      task.query?.check();
    } catch (thrown) {
      become(task, "FAILED", { failure: HostError.from(thrown) });
    }
    return task;
  }

  return {
    async run(request, signal) {
      const task = made(request);
      become(task, "FINISHED", await answer(task, signal));
      task.version = 0;
      if (isPaged(task.specification)) keep(task, false, request.client);
      return task;
    },
    start(request) {
      dropExpired();
      const link = request.id === undefined ? undefined : linkOf(request.factory, request.id);
      if (link !== undefined && entries.has(link))
        throw new HostError("DOCUMENT_EXISTS", `Service already started: ${link} stage: CREATED`);
      const entry = keep(made(request), true, request.client);
      const run = execute(entry).finally(() => running.delete(run));
      running.add(run);
      return { ...entry.task };
    },
    get(link) {
      const entry = entryOf(link);
      if (!entry.listed) throw notFound(link);
      return checked(entry.task);
    },
    paged: (link) => entryOf(link).task,
    list(factory) {
      dropExpired();
      return [...entries.values()]
        .filter(({ listed, task }) => listed && task.link.startsWith(`${factory}/`))
        .map((entry) => checked(entry.task));
    },
    cancel(link, failure = new HostError("OPERATION_CANCELLED", "The query was cancelled.")) {
      const { task, controller } = entryOf(link);
      if (task.stage === "FINISHED")
        throw new HostError(
          "REQUEST_INVALID",
          "The query is finished: its results stay until it expires. DELETE the task to be rid of them.",
        );
      if (task.stage === "CANCELLED" || task.stage === "FAILED")
        throw new HostError("REQUEST_INVALID", "new stage must be greater than current");
      become(task, "CANCELLED", { failure });
      controller.abort(failure);
      return task;
    },
    remove(link) {
      const entry = entries.get(link);
      if (entry !== undefined) drop(entry);
      return entry !== undefined;
    },
    async close() {
      for (const entry of [...entries.values()]) drop(entry);
      await Promise.all(running);
    },
  };
}

/** Whether the documents are answered page by page, by links of their own. */
export function isPaged({ resultLimit, options }: QuerySpecification): boolean {
  return resultLimit !== undefined && !options.has("TOP_RESULTS") && !options.has("COUNT");
}

async function counted(
  spec: QuerySpecification,
  query: PinnedQuery,
  signal: AbortSignal,
  turn?: Turn,
): Promise<number | undefined> {
  if (spec.options.has("COUNT")) return query.count(signal, turn);
  if (!isPaged(spec)) return undefined;
  return (await query.page({ limit: 1, expand: false }, signal, turn)).documents.length;
}

function termsOf(query: Query): number {
  return "clauses" in query ? query.clauses.reduce((sum, clause) => sum + termsOf(clause), 0) : 1;
}

function isOver(task: QueryTask): boolean {
  return task.stage === "CANCELLED";
}

function tooMany(shortage: Shortage): HostError {
  const whose = shortage === "client" ? "of this token" : "of all tokens but an admin's";
  return new HostError(
    "QUERY_LIMIT",
    `The query tasks ${whose} that are remembered are as many as the host holds; delete some, or let them expire sooner.`,
  );
}

function linkOf(factory: QueryTaskFactory, id: string): string {
  return `${factory}/${id}`;
}

function notFound(link: string): HostError {
  return new HostError("DOCUMENT_NOT_FOUND", `Service not found: ${link}`, { metadata: { link } });
}
