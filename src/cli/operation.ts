import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { setTimeout as pause } from "node:timers/promises";
import { OperationSchema, type Operation } from "../../gen/ts/google/longrunning/operations_pb.js";
import { OperationMetadataSchema } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { hostErrorOfStatus, unpack } from "../client/host-error.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { Session } from "./connect/session.js";
import type { OperationFlags } from "./flags.js";
import { progressOf, startProgress, type Progress } from "./output/progress.js";
import type { CommandContext } from "./command-context.js";

/** What is there after an operation was cancelled, and what to type then. */
export interface AfterCancel {
  state: string;
  retry: string;
}

/**
 * Begins an operation and follows it to its end with a progress bar; Ctrl-C cancels it on the host first. With --detach it
 * prints the name and answers undefined; so it does where the terminal went away and the operation goes on.
 */
export async function runOperation(
  context: CommandContext,
  flags: OperationFlags,
  session: Session,
  { begin, left }: { begin: () => Promise<Operation>; left: AfterCancel },
): Promise<Operation | undefined> {
  const begun = await begin();
  if (flags.detach && !begun.done) {
    if (session.offline)
      throw new HostError(
        "REQUEST_INVALID",
        "--detach needs a host that goes on with the work: name one with --address.",
      );
    await context.printResult(OperationSchema, begun, () => begun.name);
    if (context.quiet) process.stdout.write(`${begun.name}\n`);
    return undefined;
  }
  const operation = begun.done ? begun : await follow(context, session, begun.name, left);
  if (operation === undefined) return undefined;
  if (operation.result.case === "error") {
    const error = hostErrorOfStatus(operation.result.value);
    if (error.reason !== "OPERATION_CANCELLED") throw error;
    throw new HostError(
      "OPERATION_CANCELLED",
      `${context.abort.reason === "interrupted" ? "Cancelled" : "It was cancelled by somebody else"}. ${left.state} ${left.retry}`,
      { metadata: { operation: operation.name } },
    );
  }
  return operation;
}

/** The outcome of an operation that has succeeded; an empty one where it only checked its request and has none. */
export function resultOf<Desc extends DescMessage>(
  operation: Operation,
  schema: Desc,
): MessageShape<Desc> {
  const outcome =
    operation.result.case === "response" ? unpack(operation.result.value, schema) : undefined;
  return outcome ?? create(schema);
}

/** Watches an operation until it is done; undefined where it was left to itself. */
async function follow(
  context: CommandContext,
  session: Session,
  name: string,
  left: AfterCancel,
): Promise<Operation | undefined> {
  const { signal } = context.abort;
  const progress = startProgress(context);
  const gone = new AbortController();
  let cancelling: Promise<unknown> = Promise.resolve();
  const onStop = () => {
    if (context.abort.reason !== "interrupted" && !session.offline) return gone.abort();
    progress.stop();
    context.printNote(`Cancelling ${name}; Ctrl-C again leaves at once.`);
    cancelling = session.operations
      .cancelOperation({ name })
      .catch((error: unknown) =>
        context.printNote(
          `It could not be cancelled (${error instanceof Error ? error.message : "no reason given"}).`,
        ),
      );
  };
  signal.addEventListener("abort", onStop, { once: true });
  if (signal.aborted) onStop();
  try {
    return await watchToEnd(session, name, gone.signal, progress, left);
  } catch (thrown) {
    if (gone.signal.aborted) return undefined;
    throw thrown;
  } finally {
    signal.removeEventListener("abort", onStop);
    await cancelling;
  }
}

/** A watch that is cut is begun again a few times: the operation does not need it. */
export async function watchToEnd(
  session: Session,
  name: string,
  signal: AbortSignal,
  progress: Progress,
  left?: AfterCancel,
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
        if (tries >= limits.clientWatchTries) throw lost(error, name, left);
      }
      await pause(limits.clientWatchPauseMs, undefined, { signal });
    }
  } finally {
    progress.stop();
  }
}

function lost(error: HostError, name: string, left?: AfterCancel): HostError {
  const again =
    left === undefined ? "" : ` If the host has ended meanwhile: ${left.state} ${left.retry}`;
  return new HostError(
    "HOST_UNREACHABLE",
    `The connection to the host was lost while ${name} went on, and it goes on without it. Once the host answers again: holdfast operations watch ${name}.${again}`,
    {
      cause: error,
      metadata: { operation: name },
    },
  );
}
