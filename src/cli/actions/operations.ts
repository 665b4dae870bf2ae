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

const nameOf = (given: string) => (given.startsWith("operations/") ? given : `operations/${given}`);

export interface ListOperationsFlags extends HostFlags {
  running?: boolean;
}

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
    const answer = create(ListOperationsResponseSchema, { operations: all });
    await context.printResult(ListOperationsResponseSchema, answer, () =>
      all.length === 0 ? "There are none." : operationTable(all),
    );
  });
}

/** Follows an operation that goes on without this command too: Ctrl-C ends the watching alone. */
export async function watchOperation(
  context: CommandContext,
  flags: HostFlags,
  name = "",
): Promise<void> {
  await withHost(context, flags, async (session) => {
    const { signal } = context.abort;
    const found = await session.operations.getOperation({ name: nameOf(name) }, { signal });
    const operation = found.done
      ? found
      : await watchToEnd(session, found.name, signal, startProgress(context));
    if (operation.result.case === "error") throw hostErrorOfStatus(operation.result.value);
    await context.printResult(
      OperationSchema,
      operation,
      () => `${operation.name} is done, after ${formatDuration(durationOf(operation))}.`,
    );
  });
}

export async function cancelOperation(
  context: CommandContext,
  flags: HostFlags,
  name = "",
): Promise<void> {
  await withHost(context, flags, async (session) => {
    const full = nameOf(name);
    const before = await session.operations.getOperation(
      { name: full },
      { signal: context.abort.signal },
    );
    if (!before.done) await session.operations.cancelOperation({ name: full });
    const operation = before.done
      ? before
      : await watchToEnd(session, full, context.abort.signal, startProgress(context));
    await context.printResult(OperationSchema, operation, () => cancelled(operation, before.done));
  });
}

function cancelled({ name, result }: Operation, wasDone: boolean): string {
  if (wasDone) return `${name} was done before; nothing was changed.`;
  if (result.case !== "error")
    return `${name} was finished before it could be cancelled: all of its work is done.`;
  return `${name} has ended: ${result.value.message}`;
}
