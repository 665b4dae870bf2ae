import { createHash, type Hash } from "node:crypto";
import { constants, setPriority } from "node:os";
import { HostError } from "../errors.js";
import { serveChild } from "../io/child-process.js";
import { collectingGarbage } from "../io/collecting-garbage.js";
import { nodeFileSystem } from "../io/node-file-system.js";
import { readChunks, writeStream } from "../io/read-file.js";
import type { ZipCall, ZipOutcome } from "./zip-call.js";
import { checkZip } from "./zip-check.js";
import { openZipReader } from "./zip-reader.js";

type PackCall = Extract<ZipCall, { kind: "pack" }>;
type ExtractCall = Extract<ZipCall, { kind: "extract" }>;
type CheckCall = Extract<ZipCall, { kind: "check" }>;
/** Cancelling an operation kills this process. */
const never = new AbortController().signal;

/** Packs segments and manifest. */
async function* archiveBytes(
  { store, segments, last, modifiedMs }: PackCall,
  report: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  // Loaded only for packing, because loading takes longer than other calls.
  const { packZip } = await import("./pack-zip.js");
  yield* packZip(
    [
      ...segments.map(({ name, path }) => ({
        name,
        bytes: reporting(collectingGarbage(readChunks(nodeFileSystem, path, never)), report),
      })),
      ...last.map(({ name, bytes }) => ({ name, bytes: Buffer.from(bytes) })),
    ],
    { store, modifiedMs },
  );
}

/** Passes chunks on and reports their sizes. */
async function* reporting<T extends Uint8Array>(
  chunks: AsyncIterable<T>,
  report: (bytes: number) => void,
): AsyncGenerator<T> {
  for await (const chunk of chunks) {
    yield chunk;
    report(chunk.length);
  }
}

/**
 * Reports half of the bytes, because packing and verifying are half of the work each. Keeps the
 * remainder for the next report.
 */
function halving(report: (bytes: number) => void): (bytes: number) => void {
  let rest = 0;
  return (bytes) => {
    const whole = bytes + rest;
    rest = whole % 2;
    if (whole >= 2) report((whole - rest) / 2);
  };
}

async function* hashing(chunks: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

async function pack(call: PackCall, report: (bytes: number) => void): Promise<ZipOutcome> {
  // Packing uses all cores while the host serves. The threads inherit the priority.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  const hash = createHash("sha256");
  const half = halving(report);
  const sizeBytes = await writeStream(
    nodeFileSystem,
    call.path,
    hashing(archiveBytes(call, half), hash),
    Number.MAX_SAFE_INTEGER,
    never,
  );
  const file = await nodeFileSystem.openToWrite(call.path);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  const archive = await openZipReader(call.path, () => nodeFileSystem.openToRead(call.path));
  for (const segment of call.segments) {
    await archive.readBack(segment, (bytes) => reporting(collectingGarbage(bytes), half));
  }
  for (const { name, bytes, sha256 } of call.last)
    await archive.readBack({ name, sizeBytes: bytes.length, sha256 }, collectingGarbage);
  return { sizeBytes, sha256: hash.digest("hex") };
}

async function extract(call: ExtractCall, report: (bytes: number) => void): Promise<ZipOutcome> {
  const archive = await openZipReader(call.path, () => nodeFileSystem.openToRead(call.path));
  let total = 0;
  for (const { name, sizeBytes, target } of call.segments) {
    const bytes = reporting(collectingGarbage(archive.bytesOf({ name, sizeBytes }, never)), report);
    const written = await writeStream(nodeFileSystem, target, bytes, sizeBytes, never, true);
    if (written !== sizeBytes)
      throw new HostError(
        "BACKUP_DAMAGED",
        `The archive ${call.path} is damaged: ${name} has ${written} bytes, not ${sizeBytes}. Use another backup.`,
      );
    total += written;
  }
  return { sizeBytes: total };
}

async function check({ path, sha256 }: CheckCall): Promise<ZipOutcome> {
  if (sha256 === undefined) return checkZip(nodeFileSystem, path, collectingGarbage);
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of hashing(
    collectingGarbage(readChunks(nodeFileSystem, path, never)),
    hash,
  ))
    sizeBytes += chunk.length;
  if (hash.digest("hex") !== sha256)
    throw new HostError("BACKUP_DAMAGED", `${path} is damaged: its SHA-256 is not ${sha256}.`);
  return { sizeBytes };
}

serveChild<ZipCall, ZipOutcome, number>("The archive", (call, report) => {
  if (call.kind === "check") return check(call);
  return call.kind === "pack" ? pack(call, report) : extract(call, report);
});
