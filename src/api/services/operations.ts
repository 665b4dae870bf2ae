import type { ServiceImpl } from "@connectrpc/connect";
import type { Operations } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { OperationService } from "../../operation/operation.js";
import { toOperation, type OperationConversion } from "../convert/operation.js";

const operationsPage = 100;

/** Implements google.longrunning.Operations. */
export function operationsImpl(
  operations: OperationService,
  conversion: OperationConversion,
): ServiceImpl<typeof Operations> {
  return {
    getOperation: ({ name }) => toOperation(operations.get(requireName(name)), conversion),
    listOperations({ name, filter, pageSize, pageToken }) {
      if (name !== "" && name !== "operations")
        throw new HostError(
          "REQUEST_INVALID",
          `Invalid name ${name}: must be "operations" or empty.`,
        );
      if (filter !== "")
        throw new HostError(
          "REQUEST_INVALID",
          "Filters are not supported when listing operations.",
        );
      if (pageSize < 0) throw new HostError("REQUEST_INVALID", "page_size must not be negative.");
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
      const requestedMs = timeout
        ? Number(timeout.seconds) * 1000 + timeout.nanos / 1e6
        : limits.operationWaitMs;
      const timeoutMs = Math.min(Math.max(0, requestedMs), limits.operationWaitMs);
      return toOperation(await operations.wait(requireName(name), timeoutMs, signal), conversion);
    },
    async cancelOperation({ name }) {
      await operations.cancel(requireName(name));
      return {};
    },
    async deleteOperation({ name }) {
      await operations.delete(requireName(name));
      return {};
    },
  };
}

/** Requires a name: Google's requests have no validation rules. */
function requireName(name: string): string {
  if (name === "")
    throw new HostError("REQUEST_INVALID", "Missing operation name, for example operations/3f2c.", {
      metadata: { field: "name" },
    });
  return name;
}
