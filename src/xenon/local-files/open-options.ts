import { HostError } from "../../errors.js";

/**
 * The names of Java's StandardOpenOption that are taken, with their meaning there. TRUNCATE_EXISTING adds nothing: a file
 * is only ever replaced whole. SPARSE, SYNC and DSYNC are how files are written anyway.
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
export type OpenOption = (typeof openOptions)[number];

const isOption = (name: string): name is OpenOption =>
  (openOptions as readonly string[]).includes(name);

/** REQUEST_INVALID for a name that is none, and for one that cannot be kept to. Each is in the answer once. */
export function readOptions(names: readonly string[]): OpenOption[] {
  const found = new Set<OpenOption>();
  for (const name of names) {
    if (!isOption(name)) {
      throw new HostError(
        "REQUEST_INVALID",
        `fileOptions has ${JSON.stringify(name.slice(0, 60))}; taken are ${openOptions.join(", ")}. Ranges are written at their place, so that APPEND has no meaning, and no file is deleted on close.`,
        {
          metadata: { field: "fileOptions" },
        },
      );
    }
    found.add(name);
  }
  return [...found];
}
