import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { readRange } from "../../io/read-file.js";
import { limits } from "../../limits.js";
import type { DocumentHost } from "./document-host.js";

/** State of the index that receives the documents. */
export interface TargetIndex {
  positionMicros: number;
  versions: number;
  lineage: string;
}

/**
 * Reads the state of the target index. Throws INDEX_NOT_FOUND or ROUTE_NOT_FOUND if the index or a
 * factory is missing.
 */
export async function readTarget(
  target: DocumentHost,
  indexLink: string,
  factories: readonly string[],
  signal: AbortSignal,
): Promise<TargetIndex> {
  const host = JSON.parse(await target.ask("GET", "/v1/host", signal)) as {
    indexes?: { link: string; lineage: string; positionMicros: string; versions: string }[];
  };
  const index = host.indexes?.find(({ link }) => link === indexLink);
  if (!index)
    throw new HostError(
      "INDEX_NOT_FOUND",
      `Index ${indexLink} not found on ${target.url}. Start the host with --memory-index, or choose another index with --index.`,
    );
  for (const factory of factories) {
    await target.ask("GET", `${factory}?$limit=1`, signal).catch((error: unknown) => {
      if (!(error instanceof HostError) || error.metadata["status"] !== "404") throw error;
      throw new HostError(
        "ROUTE_NOT_FOUND",
        `Factory ${factory} not found on ${target.url}. Start the host with --factory ${factory}=KIND, where KIND is the documentKind of its documents.`,
      );
    });
  }
  return {
    positionMicros: Number(index.positionMicros),
    versions: Number(index.versions),
    lineage: index.lineage,
  };
}

/** Uploads an archive in chunks. Resolves to the source to restore from. */
export async function sendArchive(
  platform: Platform,
  target: DocumentHost,
  path: string,
  signal: AbortSignal,
  onBytes: (count: number) => void,
): Promise<string> {
  const name = `import-${platform.randomHex(8)}`;
  const total = (await platform.files.status(path))?.sizeBytes ?? 0;
  let offset = 0;
  for await (const chunk of readRange(
    platform.files,
    path,
    { offset: 0, end: total, chunkBytes: limits.httpChunkBytesMax },
    signal,
  )) {
    const headers = { "content-range": `bytes ${offset}-${offset + chunk.length - 1}/${total}` };
    // The host accepts a chunk sent again by a retry if it is identical.
    await target.ask("PUT", `/v1/transfers/${name}`, signal, {
      type: "application/octet-stream",
      content: chunk,
      headers,
    });
    offset += chunk.length;
    onBytes(chunk.length);
  }
  return `transfer:${name}`;
}

interface OperationJson {
  name: string;
  done?: boolean;
  error?: { message?: string; details?: { reason?: string }[] };
  response?: { lineage?: string };
}

/** A restore request. Repeating it, even in a later run, returns the operation already started. */
export interface RestoreRequest {
  source: string;
  indexLink: string;
  ifPositionMicros: number;
  requestId: string;
}

/** Restores and waits for completion. Resolves to the lineage of the restored index. */
export async function restoreInto(
  target: DocumentHost,
  { source, indexLink, ifPositionMicros, requestId }: RestoreRequest,
  signal: AbortSignal,
): Promise<string> {
  const body = { source, indexLink, ifPositionMicros: String(ifPositionMicros), requestId };
  let operation = JSON.parse(
    await target.ask("POST", "/v1/restores", signal, {
      type: "application/json",
      content: JSON.stringify(body),
    }),
  ) as OperationJson;
  while (!operation.done) {
    await sleep(200, undefined, { signal });
    operation = JSON.parse(
      await target.ask("GET", `/v1/${operation.name}`, signal),
    ) as OperationJson;
  }
  if (operation.error === undefined) return operation.response?.lineage ?? "";
  const reason = operation.error.details?.find((detail) => detail.reason !== undefined)?.reason;
  const message = `Restore on ${target.url} failed: ${operation.error.message ?? "unknown error"}`;
  throw new HostError(
    reason === "INDEX_CHANGED" ? "INDEX_CHANGED" : "DESTINATION_REFUSED",
    message,
  );
}
