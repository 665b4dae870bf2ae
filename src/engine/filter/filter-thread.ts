import type { OrderBy } from "../../document/filter.js";
import { HostError } from "../../errors.js";
import { startWorker, type WorkerClient } from "../../io/worker-client.js";
import type { FilterAnswer, FilterCall, RowsCall } from "./filter-worker.js";

type Client = WorkerClient<FilterCall, FilterAnswer>;

/**
 * A thread that filters and sorts rows of a log that is elsewhere, by the same rules as the SQLite engine: started when
 * first used.
 */
export class FilterThread {
  private started: Promise<Client> | undefined;
  private sorts = 0;

  /** Returns the positions of the rows that match. FILTER_INVALID, QUERY_LIMIT. */
  match(rows: RowsCall): Promise<number[]> {
    return this.call({ kind: "match", ...rows });
  }

  /** Starts a sort: rows are added, and then the update times of a part of them are returned in order. */
  sort(orderBy: OrderBy[]): {
    add(rows: RowsCall): Promise<unknown>;
    times(offset: number, limit: number): Promise<number[]>;
  } {
    const id = (this.sorts += 1);
    return {
      add: (rows) => this.call({ kind: "sort", id, orderBy, ...rows }),
      times: (offset, limit) => this.call({ kind: "sorted", id, offset, limit }),
    };
  }

  async close(): Promise<void> {
    if (this.started) await (await this.started).close();
  }

  private async call(call: FilterCall): Promise<FilterAnswer> {
    this.started ??= startWorker<FilterCall, FilterAnswer>(
      "engine/filter/filter-worker",
      undefined,
      (cause) => {
        this.started = undefined;
        return new HostError("INDEX_CLOSED", "The index was closed during the query. Try again.", {
          cause,
        });
      },
    );
    return (await this.started).call(call);
  }
}
