import { createHash } from "node:crypto";
import type { ContainerReader } from "../container/container.js";
import { HostError } from "../errors.js";
import type { Segment } from "../format/manifest.js";
import { findManifest } from "./inspect.js";
import type { BackupListing } from "./model.js";

/** Compares the files of listed backups with their digests, each file once; `open` gives the reader of a URI, which is closed here. */
export async function checkDigests(listings: readonly BackupListing[], open: (uri: string) => Promise<ContainerReader>, signal: AbortSignal): Promise<BackupListing[]> {
  const problems = new Map<string, Promise<string | undefined>>();
  const checked: BackupListing[] = [];
  for (const listing of listings) {
    const problem = listing.state === "COMPLETE" ? await problemOf(listing, open, problems, signal) : undefined;
    checked.push(problem === undefined ? listing : { ...listing, state: "DAMAGED", problem });
  }
  return checked;
}

async function problemOf(listing: BackupListing, open: (uri: string) => Promise<ContainerReader>, problems: Map<string, Promise<string | undefined>>, signal: AbortSignal): Promise<string | undefined> {
  const reader = await open(listing.uri);
  try {
    const { manifest } = await findManifest(reader, listing.name, signal);
    for (const segment of manifest.segments) {
      const key = `${listing.uri}\n${segment.name}`;
      const found = problems.get(key) ?? digestProblem(reader, segment, signal);
      problems.set(key, found);
      const problem = await found;
      if (problem !== undefined) return problem;
    }
    return undefined;
  } finally {
    await reader.close();
  }
}

async function digestProblem(reader: ContainerReader, segment: Segment, signal: AbortSignal): Promise<string | undefined> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of reader.bytesOf(segment, signal)) hash.update(chunk);
  } catch (error) {
    if (error instanceof HostError && error.reason === "BACKUP_DAMAGED") return error.message;
    throw error;
  }
  const digest = hash.digest("hex");
  return digest === segment.sha256 ? undefined : `${segment.name} has the sha256 ${digest}, not ${segment.sha256}`;
}
