import { join } from "node:path";
import type { StorageEngine } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { temporaryPrefix } from "../io/durable-file.js";
import type { Platform } from "../io/platform.js";
import { readPointer, writePointer, type Pointer } from "./pointer.js";

const generationPrefix = "generation-";

/** The directories of one index: one a generation, and the pointer that says which is live. */
export interface Generations {
  pointer(): Pointer;
  directoryOf(generation: string): string;
  /** A new empty directory for an index that is being built. */
  prepare(): Promise<string>;
  /** Makes a generation the live one, durably; the one before stays for undo and older ones go. */
  switchTo(generation: string, minTimeMicros: number): Promise<void>;
  discard(generation: string): Promise<void>;
  /**
   * Removes leftovers of what was cut off, once the live generation has been opened: before that nothing shows that the
   * pointer is right. INDEX_DAMAGED where a generation became live after the pointer was written.
   */
  cleanUp(): Promise<void>;
  /** Whether a switch failed in a way that only a restart can tell what is live. */
  uncertain(): boolean;
}

/** Opens the directories of an index, and creates the first generation if there is no other. Removes nothing yet. */
export async function openGenerations(
  platform: Platform,
  storageEngine: StorageEngine,
  directory: string,
  onBackgroundError: (error: unknown) => void,
  fixedIndexId?: string,
): Promise<Generations> {
  const { files } = platform;
  const newName = () => `${generationPrefix}${platform.randomHex(8)}`;
  const status = await files.status(directory);
  if (status && status.kind !== "directory")
    throw new HostError(
      "INDEX_DAMAGED",
      `${directory} is no directory; an index of this host should be there.`,
    );
  if (!status) await files.makeDirectory(directory);
  let pointer = (await readPointer(platform, directory)) ?? (await first());

  async function first(): Promise<Pointer> {
    // A first start that was cut off leaves at most one whole, empty generation; anything else stays where it is.
    const strays = (await files.list(directory)).filter((name) =>
      name.startsWith(generationPrefix),
    );
    for (const stray of strays) {
      const position = await storageEngine.identify(join(directory, stray)).then(
        ({ positionMicros }) => positionMicros,
        () => undefined,
      );
      if (position !== 0) {
        throw new HostError(
          "INDEX_DAMAGED",
          `${directory} holds an index, but lost the file that says which one is live; restore a backup into a new data directory.`,
        );
      }
      await files.removeTree(join(directory, stray));
    }
    const indexId = fixedIndexId ?? platform.randomId();
    const current = newName();
    // Under a temporary name until it is whole: half of one is a leftover, and goes at the next start.
    const unfinished = join(directory, `${temporaryPrefix}${current}`);
    await files.makeDirectory(unfinished);
    await storageEngine.create(unfinished, { indexId, lineage: platform.randomId(), parents: [] });
    await files.rename(unfinished, join(directory, current));
    await files.syncDirectory(directory);
    const made: Pointer = { indexId, current, minTimeMicros: 0, switches: 0 };
    await writePointer(platform, directory, made);
    await writePointer(platform, join(directory, current), made);
    return made;
  }

  async function make(): Promise<string> {
    const name = newName();
    await files.makeDirectory(join(directory, name));
    return name;
  }

  async function cleanUp(): Promise<void> {
    const names = await files.list(directory);
    const unknown = names.filter(
      (name) =>
        name.startsWith(generationPrefix) && name !== pointer.current && name !== pointer.previous,
    );
    for (const name of unknown) await requireOlder(name);
    await completeCopy().catch(onBackgroundError);
    const unfinished = names.filter((name) => name.startsWith(temporaryPrefix));
    for (const name of [...unfinished, ...unknown]) await files.removeTree(join(directory, name));
  }

  /** Where the live generation lacks its copy of the pointer: one of format 1, or a switch that was cut off behind the rename. */
  async function completeCopy(): Promise<void> {
    const copy = await readPointer(platform, join(directory, pointer.current)).catch(
      () => undefined,
    );
    if (copy?.switches === pointer.switches) return;
    await writePointer(platform, directory, pointer);
    await writePointer(platform, join(directory, pointer.current), pointer);
  }

  /** A generation keeps a copy of the pointer of when it became live; one that never did has none. */
  async function requireOlder(name: string): Promise<void> {
    const copy = await readPointer(platform, join(directory, name));
    if (copy === undefined || copy.switches <= pointer.switches) return;
    throw new HostError(
      "INDEX_DAMAGED",
      `CURRENT.json in ${directory} is an older copy: it names ${pointer.current}, and ${name} became live after it. Nothing was changed. Copy ${name}/CURRENT.json over it, or restore a backup into a new data directory.`,
    );
  }

  /** A failure after the rename leaves the new pointer in place; it is replaced by the old one, or writes are refused. */
  async function takeBack(failure: unknown): Promise<void> {
    const found = await readPointer(platform, directory).catch(() => undefined);
    if (found?.current === pointer.current) return;
    try {
      await writePointer(platform, directory, pointer);
    } catch {
      lost = true;
      throw new HostError(
        "OUTCOME_UNKNOWN",
        `The disk failed while ${directory} was switched to the restored index. The old one is served, read only; restart the host to see which one is live.`,
        { cause: failure },
      );
    }
  }

  let lost = false;
  return {
    pointer: () => pointer,
    directoryOf: (generation) => join(directory, generation),
    prepare: make,
    async switchTo(generation, minTimeMicros) {
      const next: Pointer = {
        ...pointer,
        current: generation,
        previous: pointer.current,
        minTimeMicros,
        switches: pointer.switches + 1,
      };
      try {
        await writePointer(platform, directory, next);
      } catch (error) {
        await takeBack(error);
        throw error;
      }
      pointer = next;
      // The switch has happened: without the copy an older pointer would not be known as one, and the next start makes it.
      await writePointer(platform, join(directory, generation), next).catch(onBackgroundError);
    },
    cleanUp,
    async discard(generation) {
      if (generation === pointer.current || generation === pointer.previous) return;
      await files.removeTree(join(directory, generation));
    },
    uncertain: () => lost,
  };
}
