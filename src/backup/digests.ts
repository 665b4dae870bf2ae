import { createHash } from "node:crypto";
import type { ContainerReader } from "../container/container.js";
import { HostError } from "../errors.js";
import { fromFileError } from "../io/file-error.js";
import { fileOf, type Segment } from "../segment/manifest.js";
import { findManifest } from "./inspect.js";
import type { BackupListing } from "./listing.js";

type Open = (uri: string) => Promise<ContainerReader>;
type OnBytes = (done: number, total: number) => void;

/**
 * Compares the files of listed backups with their digests, each file once. `open` returns the reader of a URI, which this
 * function closes. `onBytes` receives the numbers of bytes read and to read.
 */
export async function checkDigests(
  listings: readonly BackupListing[],
  open: Open,
  signal: AbortSignal,
  onBytes: OnBytes = () => {},
): Promise<BackupListing[]> {
  const complete = listings.filter(({ state }) => state === "COMPLETE");
  const sizes = new Map(
    complete.flatMap(({ uri, backup }) =>
      (backup?.segments ?? []).map((segment) => [
        keyOf(uri, segment.name),
        segment.storedBytes ?? segment.sizeBytes,
      ]),
    ),
  );
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  let done = 0;
  const onChunk = (bytes: number) => onBytes((done += bytes), total);
  const problems = new Map<string, Promise<string | undefined>>();
  const checked: BackupListing[] = [];
  for (const listing of listings) {
    checked.push(
      listing.state === "COMPLETE"
        ? { ...listing, ...(await checkOne(listing, open, problems, signal, onChunk)) }
        : listing,
    );
  }
  return checked;
}

/** An unreadable backup is not reported as damaged, and the check continues with the others. */
async function checkOne(...check: Parameters<typeof problemOf>): Promise<Partial<BackupListing>> {
  try {
    const problem = await problemOf(...check);
    return problem === undefined ? {} : { state: "DAMAGED", problem };
  } catch (error) {
    const thrown = HostError.from(fromFileError(error, "Reading its files"));
    if (thrown.reason === "OPERATION_CANCELLED" || thrown.reason === "INTERNAL") throw thrown;
    return thrown.code === "DATA_LOSS"
      ? { state: "DAMAGED", problem: thrown.message }
      : { problem: `it was not checked: ${thrown.message}` };
  }
}

const keyOf = (uri: string, segment: string) => `${uri}\n${segment}`;

async function problemOf(
  listing: BackupListing,
  open: Open,
  problems: Map<string, Promise<string | undefined>>,
  signal: AbortSignal,
  onChunk: (bytes: number) => void,
): Promise<string | undefined> {
  const reader = await open(listing.uri);
  try {
    const { manifest } = await findManifest(reader, { name: listing.name }, signal);
    for (const segment of manifest.segments) {
      const key = keyOf(listing.uri, segment.name);
      const found = problems.get(key) ?? digestProblem(reader, segment, signal, onChunk);
      problems.set(key, found);
      const problem = await found;
      if (problem !== undefined) return problem;
    }
    return undefined;
  } finally {
    await reader.close();
  }
}

async function digestProblem(
  reader: ContainerReader,
  segment: Segment,
  signal: AbortSignal,
  onChunk: (bytes: number) => void,
): Promise<string | undefined> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of reader.bytesOf(segment, signal)) {
      hash.update(chunk);
      onChunk(chunk.length);
    }
  } catch (error) {
    if (error instanceof HostError && error.reason === "BACKUP_DAMAGED") return error.message;
    throw error;
  }
  const digest = hash.digest("hex");
  const { sha256 } = fileOf(segment);
  return digest === sha256 ? undefined : `${segment.name} has the sha256 ${digest}, not ${sha256}`;
}
