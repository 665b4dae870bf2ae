import { join } from "node:path";
import { HostError } from "../../errors.js";
import { temporaryPrefix } from "../../io/durable-file.js";
import type { Platform } from "../../io/platform.js";
import type {
  BuildRequest,
  BuildResult,
  Engine,
  GenerationRef,
  IndexIdentity,
  IndexStorage,
  OpenIndexOptions,
  StoredGeneration,
} from "../engine.js";
import { createIndex } from "./build.js";
import { identifyIndex, relabelIndex } from "./closed-index.js";
import { readPointer, writePointer, type Pointer } from "./pointer.js";
import { buildInProcess } from "./run-build.js";
import { SqliteEngine } from "./sqlite-engine.js";

const generationPrefix = "generation-";

/** The directory of an index: one directory per generation, and the pointer that names the live one. */
export class SqliteIndexStorage implements IndexStorage {
  /** Generations that switches replaced and that an undo cannot reach; their readers may still use them. */
  private readonly replaced: string[] = [];

  private constructor(
    private readonly platform: Platform,
    private readonly directory: string,
    private readonly options: OpenIndexOptions,
    private pointer: Pointer,
  ) {}

  /** Opens the directory of an index, and creates the first generation if the directory holds none. */
  static async open(
    platform: Platform,
    directory: string,
    options: OpenIndexOptions,
  ): Promise<SqliteIndexStorage> {
    const { files } = platform;
    const status = await files.status(directory);
    if (status && status.kind !== "directory")
      throw new HostError(
        "INDEX_DAMAGED",
        `${directory} is no directory; an index of this host should be there.`,
      );
    if (!status) await files.makeDirectory(directory);
    const pointer =
      (await readPointer(platform, directory)) ??
      (await createFirst(platform, directory, options.indexId ?? platform.randomId()));
    return new SqliteIndexStorage(platform, directory, options, pointer);
  }

  get indexId(): string {
    return this.pointer.indexId;
  }

  openLive(): Promise<Engine> {
    return this.openGeneration(this.pointer.current, this.pointer.minTimeMicros);
  }

  async removeLeftovers(): Promise<void> {
    const { current, previous } = this.pointer;
    const names = await this.platform.files.list(this.directory);
    const unknown = names.filter(
      (name) => name.startsWith(generationPrefix) && name !== current && name !== previous,
    );
    for (const name of unknown) await this.requireOlder(name);
    await this.completeCopy().catch(this.options.onBackgroundError);
    const partial = names.filter((name) => name.startsWith(temporaryPrefix));
    for (const name of [...partial, ...unknown]) await this.remove(name);
  }

  async build(request: BuildRequest): Promise<BuildResult & { ref: GenerationRef }> {
    const name = newName(this.platform);
    const directory = join(this.directory, name);
    await this.platform.files.makeDirectory(directory);
    try {
      return { ...(await buildInProcess(directory, request)), ref: name as GenerationRef };
    } catch (error) {
      await this.remove(name);
      throw error;
    }
  }

  async previous(): Promise<StoredGeneration | undefined> {
    const { previous } = this.pointer;
    if (previous === undefined) return undefined;
    return { ref: previous as GenerationRef, ...identifyIndex(join(this.directory, previous)) };
  }

  async relabel(ref: GenerationRef, identity: IndexIdentity): Promise<void> {
    relabelIndex(join(this.directory, ref), identity);
  }

  async switchTo(ref: GenerationRef, minTimeMicros: number): Promise<Engine> {
    // Opened and read before the pointer names it: a generation that cannot be read never becomes the live one.
    const engine = await this.openGeneration(ref, minTimeMicros);
    const { pointer, platform, directory } = this;
    const next: Pointer = {
      ...pointer,
      current: ref,
      previous: pointer.current,
      minTimeMicros,
      switches: pointer.switches + 1,
    };
    try {
      await engine.state();
      await writePointer(platform, directory, next);
    } catch (error) {
      await engine.close();
      await this.takeBack(error);
      throw error;
    }
    this.pointer = next;
    if (pointer.previous !== undefined && pointer.previous !== ref)
      this.replaced.push(pointer.previous);
    // The switch has happened. Without the copy an older pointer would not be recognized; the next start writes it.
    await writePointer(platform, join(directory, ref), next).catch(this.options.onBackgroundError);
    return engine;
  }

  async discard(ref: GenerationRef): Promise<void> {
    const { current, previous } = this.pointer;
    if (ref !== current && ref !== previous) await this.remove(ref);
  }

  async discardReplaced(): Promise<void> {
    for (const name of this.replaced.splice(0)) await this.remove(name);
  }

  private openGeneration(name: string, minTimeMicros: number): Promise<Engine> {
    return SqliteEngine.open(join(this.directory, name), { ...this.options, minTimeMicros });
  }

  private async remove(name: string): Promise<void> {
    await this.platform.files.removeTree(join(this.directory, name));
  }

  /** Writes the live generation's copy of the pointer where it is missing: in format 1, or after an interrupted switch. */
  private async completeCopy(): Promise<void> {
    const { platform, directory, pointer } = this;
    const current = join(directory, pointer.current);
    const copy = await readPointer(platform, current).catch(() => undefined);
    if (copy?.switches === pointer.switches) return;
    await writePointer(platform, directory, pointer);
    await writePointer(platform, current, pointer);
  }

  /** A generation keeps a copy of the pointer as of when it became live; a generation that never did has none. */
  private async requireOlder(name: string): Promise<void> {
    const { platform, directory, pointer } = this;
    const copy = await readPointer(platform, join(directory, name));
    if (copy === undefined || copy.switches <= pointer.switches) return;
    throw new HostError(
      "INDEX_DAMAGED",
      `CURRENT.json in ${directory} is an older copy: it names ${pointer.current}, and ${name} became live after it. Nothing was changed. Copy ${name}/CURRENT.json over it, or restore a backup into a new data directory.`,
    );
  }

  /** A failure after the rename leaves the new pointer: writes the old one back. OUTCOME_UNKNOWN if that fails. */
  private async takeBack(failure: unknown): Promise<void> {
    const { platform, directory, pointer } = this;
    const found = await readPointer(platform, directory).catch(() => undefined);
    if (found?.current === pointer.current) return;
    try {
      await writePointer(platform, directory, pointer);
    } catch {
      throw new HostError(
        "OUTCOME_UNKNOWN",
        `The disk failed while ${directory} was switched to the restored index. The host serves the old index, read only; restart the host to see which one is live.`,
        { cause: failure },
      );
    }
  }
}

const newName = (platform: Platform) => `${generationPrefix}${platform.randomHex(8)}`;

async function createFirst(
  platform: Platform,
  directory: string,
  indexId: string,
): Promise<Pointer> {
  const { files } = platform;
  await removeInterruptedStart(platform, directory);
  const current = newName(platform);
  // Under a temporary name until it is complete: a partial one is a leftover, which the next start removes.
  const partial = join(directory, `${temporaryPrefix}${current}`);
  await files.makeDirectory(partial);
  createIndex(partial, { indexId, lineage: platform.randomId(), parents: [] });
  await files.rename(partial, join(directory, current));
  await files.syncDirectory(directory);
  const pointer: Pointer = { indexId, current, minTimeMicros: 0, switches: 0 };
  await writePointer(platform, directory, pointer);
  await writePointer(platform, join(directory, current), pointer);
  return pointer;
}

/** An interrupted first start leaves at most one complete, empty generation. INDEX_DAMAGED for any other. */
async function removeInterruptedStart(
  { files }: Pick<Platform, "files">,
  directory: string,
): Promise<void> {
  for (const name of await files.list(directory)) {
    if (!name.startsWith(generationPrefix)) continue;
    if (!isEmpty(join(directory, name)))
      throw new HostError(
        "INDEX_DAMAGED",
        `${directory} contains an index, and the file that names its live generation is missing. Restore a backup into a new data directory.`,
      );
    await files.removeTree(join(directory, name));
  }
}

function isEmpty(directory: string): boolean {
  try {
    return identifyIndex(directory).positionMicros === 0;
  } catch {
    return false;
  }
}
