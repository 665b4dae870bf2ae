import type { DocumentVersion } from "../../document/document.js";
import type { TraceBuffer } from "../../engine/engine.js";
import { limits } from "../../limits.js";
import type { CompletedRequest } from "./requests.js";

/** Index of the recorded requests, as in Xenon. */
export const operationIndexLink = "/core/operation-index";
/** Kind of the recorded requests, as in Xenon. */
export const operationKind = "com:vmware:xenon:common:Operation:SerializedOperation";

/**
 * Records requests as documents in batches. Never delays a request: when the queue is full, records
 * are dropped.
 */
export interface OperationTrace {
  /** Records a request. */
  record(request: CompletedRequest): void;
}

/** Dependencies of createOperationTrace. */
export interface OperationTraceOptions {
  ring: TraceBuffer;
  hostId: string;
  onError(error: unknown): void;
}

type Recorded = Omit<DocumentVersion, "link" | "version" | "action">;

/** Creates the recorder. */
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

/** Omits headers and bodies, which may contain secrets. */
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
  }: CompletedRequest,
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
