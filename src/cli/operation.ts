import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { setTimeout as sleep } from "node:timers/promises";
import { OperationSchema, type Operation } from "../../gen/ts/google/longrunning/operations_pb.js";
import { OperationMetadataSchema } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { hostErrorOfStatus, unpack } from "../client/host-error.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { Session } from "./connect/session.js";
import type { OperationFlags } from "./flags.js";
import { progressOf, startProgress, type Progress } from "./output/progress.js";
import type { CommandContext } from "./command-context.js";

/** Sentences that describe the situation after an operation was cancelled. */
export interface AfterCancel {
  /** The resulting state, for example of the destination. */
  state: string;
  /** What the same command does if it is run again. */
  retry: string;
}

/**
 * Starts an operation, shows its progress and returns it when it is done; Ctrl-C cancels it.
 * Returns undefined if the operation continues without this command: with --detach, which prints
 * its name, and after the terminal closed. Throws the error of a failed operation, and
 * OPERATION_CANCELLED for a cancelled one.
 */
export async function runOperation(
  context: CommandContext,
  flags: OperationFlags,
  session: Session,
  { start, afterCancel }: { start: () => Promise<Operation>; afterCancel: AfterCancel },
): Promise<Operation | undefined> {
  const started = await start();
  if (flags.detach && !started.done) {
    if (session.offline)
      throw new HostError(
        "REQUEST_INVALID",
        "--detach requires a host that continues the operation. Name one with --address.",
      );
    await context.printResult(OperationSchema, started, () => started.name);
    if (context.quiet) process.stdout.write(`${started.name}\n`);
    return undefined;
  }
  const operation = started.done
    ? started
    : await follow(context, session, started.name, afterCancel);
  if (operation === undefined) return undefined;
  if (operation.result.case === "error") {
    const error = hostErrorOfStatus(operation.result.value);
    if (error.reason !== "OPERATION_CANCELLED") throw error;
    const by = context.abort.reason === "interrupted" ? "" : " by another client";
    throw new HostError(
      "OPERATION_CANCELLED",
      `Cancelled${by}. ${afterCancel.state} ${afterCancel.retry}`.trimEnd(),
      { metadata: { operation: operation.name } },
    );
  }
  return operation;
}

/**
 * Returns the result of a successful operation; an empty message if it only validated its request.
 */
export function resultOf<Desc extends DescMessage>(
  operation: Operation,
  schema: Desc,
): MessageShape<Desc> {
  const result =
    operation.result.case === "response" ? unpack(operation.result.value, schema) : undefined;
  return result ?? create(schema);
}

/**
 * Watches an operation until it is done; returns undefined if the command ends before the
 * operation.
 */
async function follow(
  context: CommandContext,
  session: Session,
  name: string,
  afterCancel: AfterCancel,
): Promise<Operation | undefined> {
  const { signal } = context.abort;
  const progress = startProgress(context);
  const detached = new AbortController();
  let cancelling: Promise<unknown> = Promise.resolve();
  const onAbort = () => {
    // Without a terminal or a reader the host continues; an offline operation would end with this
    // process anyway.
    if (context.abort.reason !== "interrupted" && !session.offline) return detached.abort();
    progress.stop();
    context.printNote(`Cancelling ${name}. Press Ctrl-C again to exit without waiting.`);
    cancelling = session.operations
      .cancelOperation({ name })
      .catch((error: unknown) =>
        context.printNote(
          `Cannot cancel ${name}: ${error instanceof Error ? error.message : "unknown error"}`,
        ),
      );
  };
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await watchToEnd(session, name, detached.signal, progress, afterCancel);
  } catch (thrown) {
    if (detached.signal.aborted) return undefined;
    throw thrown;
  } finally {
    signal.removeEventListener("abort", onAbort);
    await cancelling;
  }
}

/**
 * Watches an operation until it is done and updates its progress. Reconnects up to
 * limits.clientWatchRetries times, since the operation does not depend on the connection; then throws
 * HOST_UNREACHABLE.
 */
export async function watchToEnd(
  session: Session,
  name: string,
  signal: AbortSignal,
  progress: Progress,
  afterCancel?: AfterCancel,
): Promise<Operation> {
  try {
    for (let tries = 1; ; tries++) {
      try {
        for await (const operation of session.management.watchOperation({ name }, { signal })) {
          tries = 1;
          if (operation.done) return operation;
          const metadata = unpack(operation.metadata, OperationMetadataSchema);
          if (metadata) progress.update(progressOf(metadata));
        }
      } catch (thrown) {
        signal.throwIfAborted();
        const error = await session.explain(thrown);
        if (error.code !== "UNAVAILABLE" && error.reason !== "OPERATION_CANCELLED") throw error;
        if (tries >= limits.clientWatchRetries) throw connectionLost(error, name, afterCancel);
      }
      await sleep(limits.clientWatchRetryMs, undefined, { signal });
    }
  } finally {
    progress.stop();
  }
}

function connectionLost(error: HostError, name: string, afterCancel?: AfterCancel): HostError {
  const ifHostStopped =
    afterCancel === undefined
      ? ""
      : ` If the host has stopped: ${afterCancel.state} ${afterCancel.retry}`;
  return new HostError(
    "HOST_UNREACHABLE",
    `Lost the connection to the host while ${name} was running. The operation continues on the host; to follow it once the host is reachable: holdfast operations watch ${name}.${ifHostStopped}`,
    {
      cause: error,
      metadata: { operation: name },
    },
  );
}
