import { HostError } from "../../errors.js";

/**
 * Supported names of Java's StandardOpenOption. TRUNCATE_EXISTING has no effect because a file is
 * always replaced as a whole; SPARSE, SYNC and DSYNC describe how files are written anyway.
 */
const openOptions = [
  "READ",
  "WRITE",
  "CREATE",
  "CREATE_NEW",
  "TRUNCATE_EXISTING",
  "SPARSE",
  "SYNC",
  "DSYNC",
] as const;
/** See openOptions. */
export type OpenOption = (typeof openOptions)[number];

const isOption = (name: string): name is OpenOption =>
  (openOptions as readonly string[]).includes(name);

/**
 * Validates and deduplicates option names. Throws REQUEST_INVALID for unknown and unsupported ones.
 */
export function readOptions(names: readonly string[]): OpenOption[] {
  const found = new Set<OpenOption>();
  for (const name of names) {
    if (!isOption(name)) {
      throw new HostError(
        "REQUEST_INVALID",
        `Unsupported option ${JSON.stringify(name.slice(0, 60))} in fileOptions; supported: ${openOptions.join(", ")}. APPEND has no meaning for ranges, and files are never deleted on close.`,
        {
          metadata: { field: "fileOptions" },
        },
      );
    }
    found.add(name);
  }
  return [...found];
}
