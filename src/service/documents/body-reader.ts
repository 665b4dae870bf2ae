import { setImmediate as yieldToEventLoop } from "node:timers/promises";
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
export interface BodyCall {
  kind: string;
  action: WriteAction;
  text: string;
  context: BodyContext;
}

/** Parser of document bodies. */
export interface BodyReader {
  /** Parses a body. */
  readonly read: ReadBody;
  /** Stops the worker thread after its current call. */
  close(): Promise<void>;
}

/**
 * Creates a parser that handles short bodies directly and long ones in a worker thread, which is
 * started on first use.
 */
export function createBodyReader(): BodyReader {
  const kinds = kindTable();
  let worker: Promise<WorkerClient<BodyCall, DocumentBody>> | undefined;

  async function start(): Promise<WorkerClient<BodyCall, DocumentBody>> {
    const lost = (cause?: unknown) => {
      worker = undefined;
      return new HostError(
        "QUEUE_FULL",
        "The worker thread for large documents terminated. Nothing was written; retry the request.",
        { cause },
      );
    };
    return startWorker<BodyCall, DocumentBody>("service/documents/body-worker", undefined, lost, {
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
      return (await worker).call({ kind, action, text, context });
    },
    async close() {
      await (await worker)?.close();
    },
  };
}
