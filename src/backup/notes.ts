import type { ContainerReader } from "../container/container.js";
import { HostError } from "../errors.js";
import { eachConcurrently } from "../io/each-concurrently.js";
import { limits } from "../limits.js";

/** Kind of notes: small JSON objects beside manifests. */
export interface NoteKind<T> {
  /** Returns the name of the note of a manifest. */
  nameOf(manifest: string): string;
  /** Returns a note with bounded values, or undefined if the text is none. */
  parse(text: string): T | undefined;
}

/**
 * Reads the notes beside manifests. Anybody who can write to the destination can change them: they are
 * shown, and nothing is decided by them. Leaves out what is missing or not valid.
 */
export async function readNotes<T>(
  { readSmall }: Pick<ContainerReader, "readSmall">,
  manifests: readonly string[],
  { nameOf, parse }: NoteKind<T>,
  signal: AbortSignal,
): Promise<Map<string, T>> {
  const found = new Map<string, T>();
  if (!readSmall) return found;
  await eachConcurrently(manifests, limits.manifestReads, signal, async (manifest, either) => {
    try {
      const bytes = await readSmall(nameOf(manifest), limits.noteBytes, either);
      const note = parse(Buffer.from(bytes).toString("utf8"));
      if (note !== undefined) found.set(manifest, note);
    } catch (error) {
      const isGone =
        error instanceof HostError && /^BACKUP_(NOT_FOUND|DAMAGED)$/.test(error.reason);
      if (!isGone) throw error;
    }
  });
  return found;
}

/** Returns the members of a JSON object; undefined if the text is none. */
export function membersOf<Name extends string>(
  text: string,
): Partial<Record<Name, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
