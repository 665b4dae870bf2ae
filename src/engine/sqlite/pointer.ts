import { createHash } from "node:crypto";
import { join } from "node:path";
import { HostError } from "../../errors.js";
import { JsonFile } from "../../io/json-file.js";
import type { Platform } from "../../io/platform.js";

/** Names the live generation of an index. A restore takes effect when this file is replaced. */
export interface Pointer {
  indexId: string;
  /** Directory name of the live generation. */
  current: string;
  /** Directory name of the generation before the last restore, kept for undo. */
  previous?: string;
  /** Greatest update time assigned before the last switch: the live log continues above it. */
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
  platform: Pick<Platform, "files" | "randomHex">,
  directory: string,
): Promise<Pointer | undefined> {
  const file = pointerFile(platform, directory);
  const content = await file.read();
  if (content.state === "missing") return undefined;
  if (content.state === "read") return content.value;
  const { error: cause } = content;
  if (cause instanceof HostError && cause.reason === "FORMAT_TOO_NEW") throw cause;
  const problem =
    cause instanceof SyntaxError ? "it is not JSON" : (cause as { message?: string }).message;
  throw new HostError(
    "INDEX_DAMAGED",
    `Cannot determine the live generation from ${file.path}: ${problem ?? "it cannot be read"}. Nothing was changed. Each generation contains a copy of this file from when it became live: copy the newest one over it, or restore a backup into a new data directory.`,
    { cause },
  );
}

const pointerFile = (platform: Pick<Platform, "files" | "randomHex">, directory: string) =>
  new JsonFile({
    platform,
    path: join(directory, pointerName),
    maxBytes: pointerBytes,
    parse: parsePointer,
  });

function parsePointer(content: unknown): Pointer {
  const {
    formatVersion: version,
    indexId,
    current,
    previous,
    minTimeMicros,
    switches = 0,
    checksum,
  } = content as Partial<Pointer & { formatVersion: number; checksum: string }>;
  if (typeof version === "number" && version > formatVersion) {
    throw new HostError(
      "FORMAT_TOO_NEW",
      `${pointerName} of the index has format ${version}; this host supports formats up to ${formatVersion}. Run the newer version of Holdfast that wrote it.`,
    );
  }
  if (
    typeof indexId !== "string" ||
    typeof current !== "string" ||
    typeof minTimeMicros !== "number" ||
    typeof switches !== "number"
  )
    throw new TypeError("a field is missing");
  const pointer: Pointer = {
    indexId,
    current,
    minTimeMicros,
    switches,
    ...(typeof previous === "string" && { previous }),
  };
  if (version === 1) return pointer;
  if (version !== formatVersion || checksum !== checksumOf(pointer))
    throw new TypeError("its checksum does not match");
  return pointer;
}

/** Stores the pointer durably in a directory: that of the index or, as a copy, that of a generation. */
export async function writePointer(
  platform: Pick<Platform, "files" | "randomHex">,
  directory: string,
  pointer: Pointer,
): Promise<void> {
  const content = { formatVersion, ...fieldsOf(pointer), checksum: checksumOf(pointer) };
  await pointerFile(platform, directory).write(content);
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
