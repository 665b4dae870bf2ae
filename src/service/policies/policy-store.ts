import { HostError } from "../../errors.js";
import { JsonFile } from "../../io/json-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { checkPolicy, type PolicySpec } from "../../policy/policy.js";

/** Where a policy is defined. FILE: in the policy file; it cannot be changed at run time. */
export type PolicyOrigin = "API" | "FILE";

/** A policy as the host stores it. */
export interface StoredPolicy {
  spec: PolicySpec;
  origin: PolicyOrigin;
  paused: boolean;
  createTimeMicros: number;
  updateTimeMicros: number;
  /** Changes with each update. */
  revision: number;
}

interface StoredFile {
  version: 1;
  policies: Omit<StoredPolicy, "origin">[];
  /** Names of policies of the policy file that are paused. */
  pausedFilePolicies: string[];
}

/** Options of PolicyStore.open. */
export interface PolicyStoreOptions {
  platform: Pick<Platform, "files" | "randomHex" | "nowMicros">;
  path: string;
  /** Policies of the policy file. */
  declared: readonly PolicySpec[];
}

/** The policies of a host, in its data directory and in its policy file. */
export class PolicyStore {
  private constructor(
    private readonly options: PolicyStoreOptions,
    private readonly file: JsonFile<StoredFile>,
    private readonly policies: Map<string, StoredPolicy>,
  ) {}

  /**
   * Reads the policies. Throws CONFIGURATION_INVALID if the file cannot be read: a host must not start
   * without the backups that its operator relies on.
   */
  static async open(options: PolicyStoreOptions): Promise<PolicyStore> {
    const { platform, path, declared } = options;
    const file = new JsonFile<StoredFile>({
      platform,
      path,
      maxBytes: limits.policyFileBytes,
      parse: parseStored,
      withDigest: true,
    });
    const content = await file.read();
    if (content.state === "failed") throw content.error;
    if (content.state === "invalid")
      throw new HostError(
        "CONFIGURATION_INVALID",
        `Cannot read the backup policies in ${path}: the file is damaged. Restore it, or remove it and create the policies again.`,
        { cause: content.error },
      );
    const stored = content.state === "read" ? content.value : undefined;
    const policies = new Map<string, StoredPolicy>();
    for (const one of stored?.policies ?? [])
      policies.set(one.spec.name, { ...one, origin: "API" });
    const nowMicros = platform.nowMicros();
    for (const spec of declared) {
      if (policies.has(spec.name))
        throw new HostError(
          "CONFIGURATION_INVALID",
          `The policy ${spec.name} is in the policy file and was also created on this host. Remove one of them: start without the policy file, and run holdfast policy remove ${spec.name}.`,
        );
      policies.set(spec.name, {
        spec,
        origin: "FILE",
        paused: stored?.pausedFilePolicies.includes(spec.name) ?? false,
        createTimeMicros: nowMicros,
        updateTimeMicros: nowMicros,
        revision: 1,
      });
    }
    return new PolicyStore(options, file, policies);
  }

  /** Returns all policies by name. */
  all(): StoredPolicy[] {
    return [...this.policies.values()].sort((a, b) => (a.spec.name < b.spec.name ? -1 : 1));
  }

  /** Throws POLICY_NOT_FOUND. */
  get(name: string): StoredPolicy {
    const policy = this.policies.get(name);
    if (policy) return policy;
    throw new HostError(
      "POLICY_NOT_FOUND",
      `Policy ${name} not found. List the policies with holdfast policy list.`,
      { metadata: { policy: name } },
    );
  }

  has(name: string): boolean {
    return this.policies.has(name);
  }

  /** Adds a policy; durable when this resolves. Throws POLICY_EXISTS and POLICY_LIMIT. */
  async create(spec: PolicySpec): Promise<StoredPolicy> {
    this.requireNew(spec.name);
    const nowMicros = this.options.platform.nowMicros();
    const created: StoredPolicy = {
      spec,
      origin: "API",
      paused: false,
      createTimeMicros: nowMicros,
      updateTimeMicros: nowMicros,
      revision: 1,
    };
    await this.change(spec.name, created);
    return created;
  }

  /** Throws POLICY_EXISTS, and POLICY_LIMIT for too many policies. */
  requireNew(name: string): void {
    if (this.policies.has(name))
      throw new HostError(
        "POLICY_EXISTS",
        `Policy ${name} already exists. Change it with holdfast policy edit, or choose another name.`,
        { metadata: { policy: name } },
      );
    if (this.policies.size < limits.policies) return;
    throw new HostError(
      "POLICY_LIMIT",
      `The limit of ${limits.policies} policies is reached. Remove one first.`,
    );
  }

  /**
   * Replaces a policy; durable when this resolves. Throws POLICY_NOT_FOUND, POLICY_READ_ONLY, and
   * POLICY_CHANGED if `revision` is given and not the current one.
   */
  async update(spec: PolicySpec, revision?: number): Promise<StoredPolicy> {
    const current = this.requireEditable(spec.name);
    if (revision !== undefined && revision !== current.revision)
      throw new HostError(
        "POLICY_CHANGED",
        `Policy ${spec.name} was changed meanwhile. Read it again, and repeat the change.`,
        { metadata: { policy: spec.name } },
      );
    const updated = {
      ...current,
      spec,
      updateTimeMicros: this.options.platform.nowMicros(),
      revision: current.revision + 1,
    };
    await this.change(spec.name, updated);
    return updated;
  }

  /** Removes a policy. Throws POLICY_NOT_FOUND and POLICY_READ_ONLY. */
  async remove(name: string): Promise<void> {
    this.requireEditable(name);
    await this.change(name, undefined);
  }

  /** Pauses or resumes a policy. Throws POLICY_NOT_FOUND. */
  async setPaused(name: string, paused: boolean): Promise<StoredPolicy> {
    const changed = { ...this.get(name), paused };
    await this.change(name, changed);
    return changed;
  }

  /** Throws POLICY_READ_ONLY for a policy of the policy file. */
  requireEditable(name: string): StoredPolicy {
    const policy = this.get(name);
    if (policy.origin === "API") return policy;
    throw new HostError(
      "POLICY_READ_ONLY",
      `Policy ${name} is defined in the policy file of the host. Change it there, and restart the host.`,
      { metadata: { policy: name } },
    );
  }

  /** Takes effect in memory only if it was stored. */
  private async change(name: string, policy: StoredPolicy | undefined): Promise<void> {
    const before = this.policies.get(name);
    this.set(name, policy);
    try {
      await this.file.write(this.content());
    } catch (error) {
      this.set(name, before);
      throw error;
    }
  }

  private set(name: string, policy: StoredPolicy | undefined): void {
    if (policy) this.policies.set(name, policy);
    else this.policies.delete(name);
  }

  private content(): StoredFile {
    const all = this.all();
    return {
      version: 1,
      policies: all
        .filter(({ origin }) => origin === "API")
        .map(({ origin: _origin, ...stored }) => stored),
      pausedFilePolicies: all
        .filter(({ origin, paused }) => origin === "FILE" && paused)
        .map(({ spec }) => spec.name),
    };
  }
}

function parseStored(value: unknown): StoredFile | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { version, policies, pausedFilePolicies } = value as Partial<StoredFile>;
  if (version !== 1 || !Array.isArray(policies) || !Array.isArray(pausedFilePolicies))
    return undefined;
  for (const { spec } of policies) checkPolicy(spec);
  return { version, policies, pausedFilePolicies };
}
