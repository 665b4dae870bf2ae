import { createHash } from "node:crypto";
import { join } from "node:path";
import { HostError } from "../../errors.js";
import { readSmallFile } from "../../io/read-file.js";
import { writeFileDurably } from "../../io/durable-file.js";
import type { Platform } from "../../io/platform.js";

/** Names the live generation of an index. A restore takes effect when this file is replaced. */
export interface Pointer {
  indexId: string;
  /** Directory name of the live generation. */
  current: string;
  /** Directory name of the generation before the last restore, kept for undo. */
  previous?: string;
  /** Greatest update time handed out before the last switch: the live log continues above it. */
  minTimeMicros: number;
  /** Number of switches so far, which reveals an older copy of the file. */
  switches: number;
}

const pointerName = "CURRENT.json";
const pointerBytes = 64 * 1024;
const formatVersion = 2;

/**
 * Reads the pointer of a directory; undefined if the file does not exist. INDEX_DAMAGED if its checksum does not match:
 * no generation may be removed because of an untrusted file. Format 1 had neither checksum nor count.
 */
export async function readPointer(
  platform: Pick<Platform, "files">,
  directory: string,
): Promise<Pointer | undefined> {
  const path = join(directory, pointerName);
  if ((await platform.files.status(path)) === undefined) return undefined;
  const damaged = (problem: string, cause?: unknown) =>
    new HostError(
      "INDEX_DAMAGED",
      `${path} does not say which generation is live: ${problem}. Nothing was changed. Each generation holds a copy of the file as of the time it became live: copy the newest one over it; or restore a backup into a new data directory.`,
      { cause },
    );
  let value: Partial<Pointer & { formatVersion: number; checksum: string }>;
  try {
    value = JSON.parse(
      (await readSmallFile(platform.files, path, pointerBytes)).toString("utf8"),
    ) as typeof value;
  } catch (cause) {
    throw damaged("it is not JSON", cause);
  }
  const {
    formatVersion: version,
    indexId,
    current,
    previous,
    minTimeMicros,
    switches = 0,
    checksum,
  } = value;
  if (typeof version === "number" && version > formatVersion) {
    throw new HostError(
      "FORMAT_TOO_NEW",
      `${path} has format ${version}; run the newer version of Holdfast that wrote it.`,
    );
  }
  if (
    typeof indexId !== "string" ||
    typeof current !== "string" ||
    typeof minTimeMicros !== "number" ||
    typeof switches !== "number"
  )
    throw damaged("a field is missing");
  const pointer: Pointer = {
    indexId,
    current,
    minTimeMicros,
    switches,
    ...(typeof previous === "string" && { previous }),
  };
  if (version === 1) return pointer;
  if (version !== formatVersion || checksum !== checksumOf(pointer))
    throw damaged("its checksum does not match");
  return pointer;
}

/** Stores the pointer durably in a directory: that of the index or, as a copy, that of a generation. */
export async function writePointer(
  platform: Pick<Platform, "files" | "randomHex">,
  directory: string,
  pointer: Pointer,
): Promise<void> {
  const content = { formatVersion, ...fieldsOf(pointer), checksum: checksumOf(pointer) };
  await writeFileDurably(
    platform,
    join(directory, pointerName),
    Buffer.from(`${JSON.stringify(content)}\n`),
  );
}

/** Returns the fields in the order that the checksum covers. */
const fieldsOf = ({ indexId, current, previous, minTimeMicros, switches }: Pointer) => ({
  indexId,
  current,
  ...(previous !== undefined && { previous }),
  minTimeMicros,
  switches,
});

const checksumOf = (pointer: Pointer) =>
  createHash("sha256")
    .update(JSON.stringify(fieldsOf(pointer)))
    .digest("hex")
    .slice(0, 16);
