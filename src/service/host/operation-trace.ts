import type { DocumentVersion } from "../../document/document.js";
import type { TraceBuffer } from "../../engine/engine.js";
import { limits } from "../../limits.js";
import type { AnsweredRequest } from "./requests.js";

/** Where requests are recorded while operation tracing is on, and the kind of the records: Xenon's. */
export const operationIndexLink = "/core/operation-index";
export const operationKind = "com:vmware:xenon:common:Operation:SerializedOperation";

/** Writes requests down as documents, many at a time, and never makes a request wait: what comes too fast is left out. */
export interface OperationTrace {
  record(request: AnsweredRequest): void;
}

export interface OperationTraceOptions {
  ring: TraceBuffer;
  hostId: string;
  onError(error: unknown): void;
}

type Recorded = Omit<DocumentVersion, "link" | "version" | "action">;

export function createOperationTrace({
  ring,
  hostId,
  onError,
}: OperationTraceOptions): OperationTrace {
  let waiting: Recorded[] = [];
  let writing = false;
  let id = 0;

  async function write(): Promise<void> {
    writing = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      await ring.append(batch).catch(onError);
    }
    writing = false;
  }

  return {
    record(request) {
      id += 1;
      if (waiting.length >= limits.tracedQueue) return;
      waiting.push(recordOf(request, id, hostId));
      if (!writing) void write();
    },
  };
}

/** Neither headers nor bodies are kept: they may hold secrets. */
function recordOf(
  {
    method,
    beginMicros,
    durationMicros,
    protocol,
    path,
    query,
    host,
    port,
    remoteAddress,
    referer,
    statusCode,
  }: AnsweredRequest,
  id: number,
  hostId: string,
): Recorded {
  const fields = {
    action: method,
    host,
    port,
    path,
    ...(query !== "" && { query }),
    id,
    ...(referer !== "" && { referer }),
    statusCode,
    options: [],
    protocol,
    remoteAddress,
    beginTimeMicros: beginMicros,
    durationMicros,
  };
  const updateTimeMicros = beginMicros + durationMicros;
  return {
    updateTimeMicros,
    kind: operationKind,
    owner: hostId,
    expirationTimeMicros: updateTimeMicros + limits.tracedAgeMicros,
    body: JSON.stringify(fields),
  };
}
