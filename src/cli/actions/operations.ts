import { create } from "@bufbuild/protobuf";
import {
  ListOperationsResponseSchema,
  OperationSchema,
  type Operation,
} from "../../../gen/ts/google/longrunning/operations_pb.js";
import { hostErrorOfStatus } from "../../client/host-error.js";
import { withHost } from "../connect/session.js";
import type { HostFlags } from "../flags.js";
import { watchToEnd } from "../operation.js";
import { startProgress } from "../output/progress.js";
import { formatDuration } from "../output/format.js";
import { durationOf } from "../output/result.js";
import type { CommandContext } from "../command-context.js";
import { operationTable } from "./status.js";

const nameOf = (nameOrId: string) =>
  nameOrId.startsWith("operations/") ? nameOrId : `operations/${nameOrId}`;

/** Flags of holdfast operations list. */
export interface ListOperationsFlags extends HostFlags {
  running?: boolean;
}

/** Implements holdfast operations list. */
export async function listOperations(
  context: CommandContext,
  flags: ListOperationsFlags,
): Promise<void> {
  await withHost(context, flags, async ({ operations }) => {
    const all: Operation[] = [];
    let pageToken = "";
    do {
      const page = await operations.listOperations({ pageToken }, { signal: context.abort.signal });
      all.push(...page.operations.filter(({ done }) => !flags.running || !done));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    const response = create(ListOperationsResponseSchema, { operations: all });
    await context.printResult(ListOperationsResponseSchema, response, () =>
      all.length === 0 ? "No operations." : operationTable(all),
    );
  });
}

/** Implements holdfast operations watch. Ctrl-C stops following; the operation continues. */
export async function watchOperation(
  context: CommandContext,
  flags: HostFlags,
  name = "",
): Promise<void> {
  await withHost(context, flags, async (session) => {
    const { signal } = context.abort;
    const current = await session.operations.getOperation({ name: nameOf(name) }, { signal });
    const operation = current.done
      ? current
      : await watchToEnd(session, current.name, signal, startProgress(context));
    if (operation.result.case === "error") throw hostErrorOfStatus(operation.result.value);
    await context.printResult(
      OperationSchema,
      operation,
      () => `${operation.name} completed in ${formatDuration(durationOf(operation))}.`,
    );
  });
}

/** Implements holdfast operations cancel. */
export async function cancelOperation(
  context: CommandContext,
  flags: HostFlags,
  name = "",
): Promise<void> {
  await withHost(context, flags, async (session) => {
    const fullName = nameOf(name);
    const before = await session.operations.getOperation(
      { name: fullName },
      { signal: context.abort.signal },
    );
    if (!before.done) await session.operations.cancelOperation({ name: fullName });
    const operation = before.done
      ? before
      : await watchToEnd(session, fullName, context.abort.signal, startProgress(context));
    await context.printResult(OperationSchema, operation, () => cancelText(operation, before.done));
  });
}

function cancelText({ name, result }: Operation, wasDone: boolean): string {
  if (wasDone) return `${name} was already done. Nothing was changed.`;
  if (result.case !== "error") return `${name} completed before it could be cancelled.`;
  return `${name} ended: ${result.value.message}`;
}
