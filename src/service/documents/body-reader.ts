import { setImmediate as nextTurn } from "node:timers/promises";
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

/** A body that is read by the thread. */
export interface BodyCall {
  kind: string;
  action: WriteAction;
  text: string;
  context: BodyContext;
}

export interface BodyReader {
  readonly read: ReadBody;
  /** Stops the thread when it has answered. */
  close(): Promise<void>;
}

/** Reads the bodies of documents: short ones at once, long ones in a thread that is started for the first of them, one after the other. */
export function createBodyReader(): BodyReader {
  const kinds = kindTable();
  let worker: Promise<WorkerClient<BodyCall, DocumentBody>> | undefined;

  async function start(): Promise<WorkerClient<BodyCall, DocumentBody>> {
    const lost = (cause?: unknown) => {
      worker = undefined;
      return new HostError(
        "QUEUE_FULL",
        "The thread that reads large documents ended; nothing was written. Send the request again.",
        { cause },
      );
    };
    return startWorker<BodyCall, DocumentBody>("service/documents/body-worker", undefined, lost, {
      maxOldGenerationSizeMb: limits.bodyWorkerMiB,
    });
  }

  return {
    async read(kind, action, text, context = {}) {
      if (text.length <= limits.inlineBodyChars)
        return readDocumentBody(kinds(kind), action, text, context);
      // To pass a text of 16 MiB to a thread is a turn's work of its own.
      await nextTurn();
      worker ??= start();
      return (await worker).call({ kind, action, text, context });
    },
    async close() {
      await (await worker)?.close();
    },
  };
}
