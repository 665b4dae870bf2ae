import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import { compareBodies, type BodyComparison } from "../../document/compare.js";
import { HostError } from "../../errors.js";
import { startWorker, type WorkerClient } from "../../io/worker-client.js";
import { limits } from "../../limits.js";
import {
  kindTable,
  readDocumentBody,
  type DocumentBody,
  type BodyContext,
  type ReadBody,
  type WriteAction,
} from "./document-body.js";

/** A call of the worker thread. */
export type BodyCall =
  | { do: "read"; kind: string; action: WriteAction; text: string; context: BodyContext }
  | { do: "compare"; from: string; to: string };

/** Compares two stored bodies. */
export type CompareBodies = (from: string, to: string) => Promise<BodyComparison>;

/** The answer to a call: what `read` or `compare` returns. */
export type BodyAnswer = DocumentBody | BodyComparison;

type BodyWorker = WorkerClient<BodyCall, BodyAnswer>;

/** Parser of document bodies. */
export interface BodyReader {
  /** Parses a body. */
  readonly read: ReadBody;
  readonly compare: CompareBodies;
  /** Stops the worker thread after its current call. */
  close(): Promise<void>;
}

/**
 * Creates a parser that handles short bodies directly and long ones in a worker thread, which is
 * started on first use.
 */
export function createBodyReader(): BodyReader {
  const kinds = kindTable();
  let worker: Promise<BodyWorker> | undefined;

  async function start(): Promise<BodyWorker> {
    const lost = (cause?: unknown) => {
      worker = undefined;
      return new HostError(
        "QUEUE_FULL",
        "The worker thread for large documents terminated. Nothing was written; retry the request.",
        { cause },
      );
    };
    return startWorker<BodyCall, BodyAnswer>("service/documents/body-worker", undefined, lost, {
      maxOldGenerationSizeMb: limits.bodyWorkerHeapMiB,
    });
  }

  return {
    async read(kind, action, text, context = {}) {
      if (text.length <= limits.inlineBodyChars)
        return readDocumentBody(kinds(kind), action, text, context);
      // Passing a text of 16 MiB to a thread takes noticeable time itself.
      await yieldToEventLoop();
      worker ??= start();
      const call: BodyCall = { do: "read", kind, action, text, context };
      return (await (await worker).call(call)) as DocumentBody;
    },
    async compare(from, to) {
      if (from.length + to.length <= limits.inlineBodyChars) return compareBodies(from, to);
      await yieldToEventLoop();
      worker ??= start();
      return (await (await worker).call({ do: "compare", from, to })) as BodyComparison;
    },
    async close() {
      await (await worker)?.close();
    },
  };
}
