import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { readRange } from "../../io/read-file.js";
import { limits } from "../../limits.js";
import type { DocumentHost } from "./document-host.js";

/** What is known of the index that documents go into. */
export interface TargetIndex {
  positionMicros: number;
  versions: number;
  lineage: string;
}

/** NOT_FOUND words of what the target lacks: the index, or a factory, and how to start it with them. */
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
      `${target.url} has no index ${indexLink}; start it with --memory-index, or name another with --index.`,
    );
  for (const factory of factories) {
    await target.ask("GET", `${factory}?$limit=1`, signal).catch((error: unknown) => {
      if (!(error instanceof HostError) || error.metadata["status"] !== "404") throw error;
      throw new HostError(
        "ROUTE_NOT_FOUND",
        `${target.url} does not serve ${factory}; start it with --factory ${factory}=KIND, where KIND is the documentKind of its documents.`,
      );
    });
  }
  return {
    positionMicros: Number(index.positionMicros),
    versions: Number(index.versions),
    lineage: index.lineage,
  };
}

/** Sends an archive in pieces; one that was cut goes on where the host says that it is. Resolves to the source to restore from. */
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
  for await (const piece of readRange(
    platform.files,
    path,
    { offset: 0, end: total, pieceBytes: limits.remoteChunkMax },
    signal,
  )) {
    const headers = { "content-range": `bytes ${offset}-${offset + piece.length - 1}/${total}` };
    // A piece that is sent again is compared with what is there.
    await target.ask("PUT", `/v1/transfers/${name}`, signal, {
      type: "application/octet-stream",
      content: piece,
      headers,
    });
    offset += piece.length;
    onBytes(piece.length);
  }
  return `transfer:${name}`;
}

interface OperationJson {
  name: string;
  done?: boolean;
  error?: { message?: string; details?: { reason?: string }[] };
  response?: { lineage?: string };
}

/** A restore as it is asked for; sent again, also by a later run, it finds the one that was begun. */
export interface RestoreRequest {
  source: string;
  indexLink: string;
  ifPositionMicros: number;
  requestId: string;
}

/** Restores and waits; resolves to the lineage of the restored index. */
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
  const message = `The restore on ${target.url} failed: ${operation.error.message ?? "it does not say why"}`;
  throw new HostError(
    reason === "INDEX_CHANGED" ? "INDEX_CHANGED" : "DESTINATION_REFUSED",
    message,
  );
}
