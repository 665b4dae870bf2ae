import { join } from "node:path";
import { HostError } from "../errors.js";
import { readSmallFile } from "../io/read-file.js";
import { writeFileDurably } from "../io/durable-file.js";
import type { Seams } from "../io/seams.js";

/** Which generation of an index is the live one. Replacing this file is the moment at which a restore happens. */
export interface Pointer {
  formatVersion: 1;
  indexId: string;
  /** The name of the live generation's directory. */
  current: string;
  /** The one before the last restore, kept for undo. */
  previous?: string;
  /** The greatest update time ever handed out before the last switch: the live log goes on above it. */
  floorMicros: number;
}

const pointerName = "CURRENT.json";
const pointerBytes = 64 * 1024;

/** Undefined where the directory has no pointer yet. */
export async function readPointer(seams: Seams, directory: string): Promise<Pointer | undefined> {
  const path = join(directory, pointerName);
  if ((await seams.files.status(path)) === undefined) return undefined;
  const damaged = (cause?: unknown) =>
    new HostError("INDEX_DAMAGED", `${path} does not say which generation is live; restore a backup into a new data directory.`, { cause });
  let value: Partial<Pointer>;
  try {
    value = JSON.parse((await readSmallFile(seams.files, path, pointerBytes)).toString("utf8")) as Partial<Pointer>;
  } catch (cause) {
    throw damaged(cause);
  }
  const { formatVersion, indexId, current, previous, floorMicros } = value;
  if (typeof formatVersion === "number" && formatVersion > 1) {
    throw new HostError("FORMAT_TOO_NEW", `${path} has format ${formatVersion as number}; run the newer version of Holdfast that wrote it.`);
  }
  if (formatVersion !== 1 || typeof indexId !== "string" || typeof current !== "string" || typeof floorMicros !== "number") throw damaged();
  return { formatVersion, indexId, current, floorMicros, ...(typeof previous === "string" && { previous }) };
}

export async function writePointer(seams: Seams, directory: string, pointer: Pointer): Promise<void> {
  await writeFileDurably(seams, join(directory, pointerName), Buffer.from(`${JSON.stringify(pointer)}\n`));
}
