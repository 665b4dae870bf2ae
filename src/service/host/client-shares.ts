import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { Client } from "../../security/clients.js";
import { createShares, type Hold, type Shortage } from "../../security/shares.js";
import type { OperationService, OperationView } from "../backups/management-service.js";

/** Keeps one token from taking all of what clients share; only hosts with tokens have one. */
export interface ClientShares {
  /** Starts an operation that counts as the client's until it is done. OPERATION_LIMIT where it has its share. */
  operation<T extends Pick<OperationView, "name" | "done">>(
    client: Client,
    start: () => Promise<T>,
  ): Promise<T>;
  /** What the client holds while it backs up or restores by a stream: an operation and its reader. OPERATION_LIMIT where it has its share. */
  stream(client: Client): Hold;
  /** Makes a service of /local-files that counts as the client's while it is listed. TRANSFER_LIMIT where it has its share. */
  fileService<T extends { link: string }>(
    client: Client,
    links: () => Iterable<string>,
    create: () => Promise<T>,
  ): Promise<T>;
}

const whose: Record<Shortage, string> = {
  all: "all tokens but an admin's",
  client: "this token",
  strangers: "unknown tokens",
};

export function createClientShares(operations: Pick<OperationService, "wait">): ClientShares {
  const running = createShares(
    { total: limits.runningOperations, perClient: limits.operationsPerClient, reserved: 1 },
    (shortage, most) =>
      new HostError(
        "OPERATION_LIMIT",
        `${most} operations of ${whose[shortage]} are running, as many as the host allows; wait for one to end.`,
      ),
  );
  const services = createShares(
    { total: limits.fileServices, perClient: limits.fileServicesPerClient, reserved: 1 },
    (shortage, most) =>
      new HostError(
        "TRANSFER_LIMIT",
        `${most} file services of ${whose[shortage]} are there, as many as the host allows; delete some.`,
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
        // One that was asked for again by its request id counts once.
        if (view.done || operationHolds.has(view.name)) hold.release();
        else {
          operationHolds.set(view.name, hold);
          // One that is forgotten counts no more.
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
      const there = new Set(links());
      for (const [link, hold] of serviceHolds) {
        if (there.has(link)) continue;
        serviceHolds.delete(link);
        hold.release();
      }
      const hold = services.open(client);
      hold.add(1);
      try {
        const made = await create();
        if (serviceHolds.has(made.link)) hold.release();
        else serviceHolds.set(made.link, hold);
        return made;
      } catch (error) {
        hold.release();
        throw error;
      }
    },
  };
}
