import type { ServiceImpl } from "@connectrpc/connect";
import type { Operations } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { OperationService } from "../../service/backups/management-service.js";
import { toOperation, type OperationConversion } from "../convert/operation.js";

const operationsPage = 100;

/** google.longrunning.Operations over a host's operations. */
export function operationsImpl(
  operations: OperationService,
  conversion: OperationConversion,
): ServiceImpl<typeof Operations> {
  return {
    getOperation: ({ name }) => toOperation(operations.get(named(name)), conversion),
    listOperations({ name, filter, pageSize, pageToken }) {
      if (name !== "" && name !== "operations")
        throw new HostError(
          "REQUEST_INVALID",
          `Operations are listed under "operations", not ${name}.`,
        );
      if (filter !== "")
        throw new HostError("REQUEST_INVALID", "Operations are listed without a filter.");
      if (pageSize < 0) throw new HostError("REQUEST_INVALID", "page_size is not negative.");
      const page = operations.list(
        Math.min(pageSize || operationsPage, limits.operations),
        pageToken || undefined,
      );
      return {
        operations: page.operations.map((view) => toOperation(view, conversion)),
        nextPageToken: page.nextPageToken ?? "",
      };
    },
    async waitOperation({ name, timeout }, { signal }) {
      const askedMs = timeout
        ? Number(timeout.seconds) * 1000 + timeout.nanos / 1e6
        : limits.operationWaitMs;
      const timeoutMs = Math.min(Math.max(0, askedMs), limits.operationWaitMs);
      return toOperation(await operations.wait(named(name), timeoutMs, signal), conversion);
    },
    async cancelOperation({ name }) {
      await operations.cancel(named(name));
      return {};
    },
    async deleteOperation({ name }) {
      await operations.delete(named(name));
      return {};
    },
  };
}

/** Google's request carries no rules, so an empty name is caught here. */
function named(name: string): string {
  if (name === "")
    throw new HostError(
      "REQUEST_INVALID",
      "Give the operation's name, for example operations/3f2c.",
      { metadata: { field: "name" } },
    );
  return name;
}
