import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { Client } from "../../security/clients.js";
import { createShares, type Hold, type Shortage } from "../../security/shares.js";
import type { OperationService, OperationView } from "../../operation/operation.js";

/** Limits how much of the shared resources a token may use. Used only on hosts with tokens. */
export interface ClientShares {
  /** Starts an operation charged to the client until it is done. Throws OPERATION_LIMIT. */
  operation<T extends Pick<OperationView, "name" | "done">>(
    client: Client,
    start: () => Promise<T>,
  ): Promise<T>;
  /**
   * Charges a streamed backup or restore to the client until the hold is released. Throws
   * OPERATION_LIMIT.
   */
  stream(client: Client): Hold;
  /** Creates a file service charged to the client while it exists. Throws TRANSFER_LIMIT. */
  fileService<T extends { link: string }>(
    client: Client,
    links: () => Iterable<string>,
    create: () => Promise<T>,
  ): Promise<T>;
}

const whose: Record<Shortage, string> = {
  all: "all tokens except admin tokens",
  client: "this token",
  unauthenticated: "unknown tokens",
};

/** Creates the limits. */
export function createClientShares(operations: Pick<OperationService, "wait">): ClientShares {
  const running = createShares(
    { total: limits.runningOperations, perClient: limits.operationsPerClient, reserved: 1 },
    (shortage, most) =>
      new HostError(
        "OPERATION_LIMIT",
        `Limit of ${most} running operations of ${whose[shortage]} reached. Wait for one to end.`,
      ),
  );
  const services = createShares(
    { total: limits.fileServices, perClient: limits.fileServicesPerClient, reserved: 1 },
    (shortage, most) =>
      new HostError(
        "TRANSFER_LIMIT",
        `Limit of ${most} file services of ${whose[shortage]} reached. Delete some.`,
      ),
  );
  const operationHolds = new Map<string, Hold>();
  const serviceHolds = new Map<string, Hold>();

  async function untilDone(name: string): Promise<void> {
    const never = new AbortController().signal;
    while (!(await operations.wait(name, limits.operationWaitMs, never)).done);
  }

  return {
    async operation(client, start) {
      const hold = running.open(client);
      hold.add(1);
      try {
        const view = await start();
        // An operation returned again for the same request ID counts once.
        if (view.done || operationHolds.has(view.name)) hold.release();
        else {
          operationHolds.set(view.name, hold);
          // An operation that is no longer known is released too.
          void untilDone(view.name)
            .catch(() => undefined)
            .then(() => {
              operationHolds.delete(view.name);
              hold.release();
            });
        }
        return view;
      } catch (error) {
        hold.release();
        throw error;
      }
    },
    stream(client) {
      const hold = running.open(client);
      hold.add(1);
      return hold;
    },
    async fileService(client, links, create) {
      const existing = new Set(links());
      for (const [link, hold] of serviceHolds) {
        if (existing.has(link)) continue;
        serviceHolds.delete(link);
        hold.release();
      }
      const hold = services.open(client);
      hold.add(1);
      try {
        const service = await create();
        if (serviceHolds.has(service.link)) hold.release();
        else serviceHolds.set(service.link, hold);
        return service;
      } catch (error) {
        hold.release();
        throw error;
      }
    },
  };
}
