import { join } from "node:path";
import { HostError } from "../../errors.js";
import { temporaryPrefix } from "../../io/durable-file.js";
import { JsonFile } from "../../io/json-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { PolicyRun } from "./policy-run.js";

/** Options of RunHistory. */
export interface RunHistoryOptions {
  platform: Pick<Platform, "files" | "randomHex">;
  /** Directory with one file for each policy. */
  directory: string;
  /** Called if a history cannot be read or written. Runs continue. */
  onProblem(error: unknown, path: string): void;
}

/** The ended runs of all policies, the last limits.policyRuns of each, in one file for each policy. */
export class RunHistory {
  /** Settles with the last change of each file. */
  private readonly changing = new Map<string, Promise<unknown>>();

  private constructor(private readonly options: RunHistoryOptions) {}

  /** Creates the directory if it is missing, and removes files whose writing was interrupted. */
  static async open(options: RunHistoryOptions): Promise<RunHistory> {
    const { directory, platform } = options;
    const { files } = platform;
    if ((await files.status(directory)) === undefined) await files.makeDirectory(directory);
    for (const name of await files.list(directory))
      if (name.startsWith(temporaryPrefix)) await files.remove(join(directory, name));
    return new RunHistory(options);
  }

  /**
   * Adds a run that has ended, unless it is there: a kill may come after its end was added, and before
   * the progress of the policy says so. Resolves when it is durable, or reported to onProblem.
   */
  add(run: PolicyRun): Promise<void> {
    return this.change(run.policy, async (file) => {
      const runs = await this.read(file);
      if (runs.some(({ id }) => id === run.id)) return;
      await file.write([...runs, run].slice(-limits.policyRuns));
    });
  }

  /** Lists the runs of a policy, newest first. Throws PAGE_TOKEN_INVALID. */
  async list(
    policy: string,
    pageSize: number,
    afterId?: string,
  ): Promise<{ runs: PolicyRun[]; hasMore: boolean }> {
    await this.changing.get(policy);
    const runs = (await this.read(this.fileOf(policy))).reverse();
    const from = afterId === undefined ? 0 : runs.findIndex(({ id }) => id === afterId) + 1;
    if (afterId !== undefined && from === 0)
      throw new HostError(
        "PAGE_TOKEN_INVALID",
        "The page token refers to a run that has expired. Start with the first page.",
      );
    return { runs: runs.slice(from, from + pageSize), hasMore: runs.length > from + pageSize };
  }

  /** Removes the runs of a policy. */
  remove(policy: string): Promise<void> {
    return this.change(policy, (file) => this.options.platform.files.remove(file.path));
  }

  private change(
    policy: string,
    work: (file: JsonFile<PolicyRun[]>) => Promise<void>,
  ): Promise<void> {
    const { onProblem } = this.options;
    const file = this.fileOf(policy);
    const before = this.changing.get(policy) ?? Promise.resolve();
    const changed = before
      .then(() => work(file))
      .catch((error: unknown) => onProblem(error, file.path))
      .finally(() => {
        if (this.changing.get(policy) === changed) this.changing.delete(policy);
      });
    this.changing.set(policy, changed);
    return changed;
  }

  private fileOf(policy: string): JsonFile<PolicyRun[]> {
    const { platform, directory } = this.options;
    return new JsonFile<PolicyRun[]>({
      platform,
      path: join(directory, `${policy}.json`),
      maxBytes: limits.policyHistoryBytes,
      parse: (value) => (Array.isArray(value) && value.every(isRun) ? value : undefined),
    });
  }

  private async read(file: JsonFile<PolicyRun[]>): Promise<PolicyRun[]> {
    const content = await file.read();
    if (content.state === "read") return content.value;
    if (content.state === "missing") return [];
    if (content.state === "failed") throw content.error;
    this.options.onProblem(content.error, await file.quarantine());
    return [];
  }
}

function isRun(value: unknown): value is PolicyRun {
  if (typeof value !== "object" || value === null) return false;
  const { id, policy, kind, state, startTimeMicros, steps } = value as Partial<PolicyRun>;
  return (
    [id, policy, kind, state].every((text) => typeof text === "string") &&
    Number.isSafeInteger(startTimeMicros) &&
    Array.isArray(steps)
  );
}
