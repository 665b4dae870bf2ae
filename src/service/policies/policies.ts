import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import type { Delivery } from "../../notification/delivery.js";
import type { Notifications } from "../../notification/notifications.js";
import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import {
  checkPolicy,
  comparableUri,
  destinationsOf,
  fieldError,
  tasksOf,
  type PolicySpec,
  type RunKind,
} from "../../policy/policy.js";
import { checkRetention, type RetentionRules } from "../../policy/retention.js";
import { nextRuns, type Schedule } from "../../policy/schedule.js";
import { withoutSecrets } from "../../security/secrets.js";
import type { ManagementService } from "../backups/management-service.js";
import type { ContinuousBackups } from "./continuous-backups.js";
import type { BlockedCopies } from "./copied-barrier.js";
import { problemsOf, type PolicyProblem } from "./policy-health.js";
import { sharingOf, warningsOf, type Sharing } from "./policy-warnings.js";
import type { PolicyEvents } from "./policy-events.js";
import type { PolicyProgressFile } from "./policy-progress.js";
import type { PolicyRun } from "./policy-run.js";
import type { PolicyRunner } from "./policy-runner.js";
import type {
  ChangeOptions,
  PlannedRun,
  PolicyPage,
  PolicyPreview,
  PolicyService,
  PolicyView,
  PreviewedDestination,
} from "./policy-service.js";
import type { PolicySteps } from "./policy-steps.js";
import type { PolicyStore, StoredPolicy } from "./policy-store.js";
import type { RunHistory } from "./run-history.js";

/** Dependencies of Policies. */
export interface PoliciesOptions {
  platform: Pick<Platform, "nowMicros">;
  store: PolicyStore;
  progress: PolicyProgressFile;
  history: RunHistory;
  runner: PolicyRunner;
  continuous: ContinuousBackups;
  steps: PolicySteps;
  events: PolicyEvents;
  notifications: Notifications;
  management: Pick<ManagementService, "checkDestination" | "pruneBackups">;
  /** Throws INDEX_NOT_FOUND. */
  requireIndex(link: string): void;
  hasDocuments(indexLink: string): Promise<boolean>;
  /** Whether this host sees each write before it is acknowledged; not if other hosts write too. */
  seesEachWrite: boolean;
  /** Whether a text is a public key of age. */
  isRecipient(text: string): Promise<boolean>;
  /** Called when a policy was created, changed, paused, resumed or removed. */
  onChanged(): void;
  /** The automatic backups of the host as a policy. */
  builtIn: BuiltInPolicy;
}

/** A policy that is not stored here: the automatic backups of the host. */
export interface BuiltInPolicy {
  name: string;
  view(): PolicyView;
  setPaused(paused: boolean): Promise<void>;
}

/** The policies of a host. */
export class Policies implements PolicyService {
  constructor(private readonly options: PoliciesOptions) {}

  /** Records runs that a kill interrupted, and schedules all policies. */
  async start(): Promise<void> {
    const { store, progress, history, platform } = this.options;
    for (const { spec } of store.all()) {
      const { running } = progress.of(spec.name);
      if (!running) continue;
      progress.change(spec.name, (known) => delete known.running);
      const endTimeMicros = platform.nowMicros();
      await history.add({ ...running, state: "INTERRUPTED", endTimeMicros });
    }
    for (const policy of store.all()) {
      const { name } = policy.spec;
      // A file does not say since when: otherwise each start of the host would begin the interval anew.
      if (policy.origin === "FILE" && progress.of(name).sinceMicros === undefined)
        progress.change(name, (known) => (known.sinceMicros = platform.nowMicros()));
      await this.schedule(policy);
    }
  }

  /** Pauses continuous backups to destinations that `isSource` accepts. Resolves with what resumes them. */
  pause(isSource: (destination: string) => boolean): Promise<() => void> {
    return this.options.continuous.pause((destination) => isSource(comparableUri(destination)));
  }

  /** Whether a policy with a schedule backs up to a destination, where retention decides what stays. */
  hasScheduled(destination: string): boolean {
    const wanted = comparableUri(destination);
    return this.options.store
      .all()
      .some(
        ({ spec }) =>
          spec.schedule.kind !== "continuous" && comparableUri(spec.destination) === wanted,
      );
  }

  /** Cancels what runs; it is made up after the next start. */
  async close(): Promise<void> {
    const { runner, continuous } = this.options;
    await Promise.all([runner.close(), continuous.close()]);
  }

  async list({ count = Infinity, after = "" }: PolicyPage = {}): Promise<PolicyView[]> {
    const { store, builtIn } = this.options;
    const sharing = sharingOf(this.options.store.all());
    const names = [builtIn.name, ...store.all().map(({ spec }) => spec.name)];
    const views: PolicyView[] = [];
    for (const name of names.filter((one) => one > after).sort()) {
      if (views.length >= count) break;
      if (views.length % limits.policyViewsPerTurn === 0) await yieldToEventLoop();
      // Another request may have removed it meanwhile.
      if (name === builtIn.name) views.push(builtIn.view());
      else if (store.has(name)) views.push(await this.view(store.get(name), sharing));
    }
    return views;
  }

  async get(name: string): Promise<PolicyView> {
    const { store, builtIn } = this.options;
    return name === builtIn.name ? builtIn.view() : this.view(store.get(name));
  }

  async create(
    spec: PolicySpec,
    { validateOnly = false }: ChangeOptions = {},
  ): Promise<PolicyView> {
    const { store, builtIn, platform, progress, history } = this.options;
    await this.check(spec);
    if (spec.name === builtIn.name) this.refuseBuiltIn();
    store.requireNew(spec.name);
    await this.probe(spec, []);
    if (validateOnly) {
      const nowMicros = platform.nowMicros();
      return this.view({
        spec,
        origin: "API",
        paused: false,
        createTimeMicros: nowMicros,
        updateTimeMicros: nowMicros,
        revision: 1,
      });
    }
    const created = await store.create(spec);
    // A kill during the removal of a policy of this name may have left them.
    progress.remove(spec.name);
    const cleared = history.remove(spec.name);
    await this.schedule(created);
    await cleared;
    this.options.onChanged();
    return this.view(created);
  }

  async update(
    given: PolicySpec,
    { validateOnly = false, revision }: ChangeOptions = {},
  ): Promise<PolicyView> {
    const { store, builtIn, progress } = this.options;
    if (given.name === builtIn.name) this.refuseBuiltIn();
    const current = store.requireEditable(given.name);
    const spec = withSecrets(given, current.spec);
    await this.check(spec);
    await this.probe(spec, destinationsOf(current.spec));
    if (validateOnly) return this.view({ ...current, spec });
    const updated = await store.update(spec, revision);
    progress.keepDestinations(spec.name, destinationsOf(spec).map(withoutSecrets));
    this.skipEarlier(updated);
    await this.schedule(updated);
    this.options.onChanged();
    return this.view(updated);
  }

  async remove(name: string): Promise<void> {
    const { store, builtIn, runner, continuous, progress, history, events } = this.options;
    if (name === builtIn.name) this.refuseBuiltIn();
    await store.remove(name);
    runner.unschedule(name);
    await continuous.stop(name);
    await runner.cancel(name);
    progress.remove(name);
    events.forget(name);
    await history.remove(name);
    this.options.onChanged();
  }

  async setPaused(name: string, paused: boolean): Promise<PolicyView> {
    const { store, builtIn } = this.options;
    if (name === builtIn.name) {
      await builtIn.setPaused(paused);
      return builtIn.view();
    }
    const changed = await store.setPaused(name, paused);
    if (!paused) this.skipEarlier(changed);
    await this.schedule(changed);
    this.options.onChanged();
    return this.view(changed);
  }

  run(name: string, kind: RunKind): PolicyRun {
    const { store, builtIn, runner } = this.options;
    if (name === builtIn.name) this.refuseBuiltIn();
    const { spec } = store.get(name);
    if (kind === "BACKUP" && spec.schedule.kind === "continuous")
      throw fieldError("kind", `policy ${name} is continuous: it backs up after each write.`);
    if (kind === "COPY" && spec.copies.length === 0)
      throw fieldError("kind", `policy ${name} has no copies.`);
    return runner.request(spec, kind);
  }

  async preview(
    name: string,
    rules: RetentionRules | undefined,
    signal: AbortSignal,
  ): Promise<PolicyPreview> {
    const { store, builtIn } = this.options;
    // Automatic backups replace each other, so no rules apply to them.
    if (name === builtIn.name) return { destinations: [], nextRunsMicros: [] };
    const policy = store.get(name);
    if (rules) checkRetention(rules, "retention");
    const spec = rules ? { ...policy.spec, retention: rules } : policy.spec;
    const destinations: PreviewedDestination[] = [];
    for (const uri of destinationsOf(spec))
      destinations.push(await this.previewAt(spec, uri, signal));
    return { destinations, nextRunsMicros: this.nextRuns(policy) };
  }

  async runs(
    name: string,
    pageSize: number,
    afterId?: string,
  ): Promise<{ runs: PolicyRun[]; hasMore: boolean }> {
    const { store, history, progress, builtIn } = this.options;
    if (name === builtIn.name) return { runs: [], hasMore: false };
    store.get(name);
    const { running } = progress.of(name);
    const { runs, hasMore } = await history.list(name, pageSize, afterId);
    // Shown besides the page, so that tokens name ended runs only.
    return { runs: afterId === undefined && running ? [running, ...runs] : runs, hasMore };
  }

  deliveries(name: string): Delivery[] {
    const { store, builtIn, notifications } = this.options;
    if (name !== builtIn.name) store.get(name);
    return notifications.deliveries(name);
  }

  replayDelivery(id: string): Promise<Delivery> {
    return this.options.notifications.replay(id);
  }

  testNotifications(name: string): Promise<Delivery[]> {
    const { store, events } = this.options;
    return events.test(store.get(name).spec);
  }

  /** Reports changes of the health of all policies. Returns their problems, each with the name of its policy. */
  async checkHealth(): Promise<string[]> {
    const { store, events, progress, platform } = this.options;
    const all: string[] = [];
    for (const policy of store.all()) {
      progress.noteClock(policy.spec.name, platform.nowMicros());
      const problems = await this.problems(policy);
      events.problems(policy.spec, problems);
      all.push(...problems.map(({ message }) => `Policy ${policy.spec.name}: ${message}`));
    }
    return all;
  }

  /** Since when a policy exists. */
  private sinceMicros({ spec, origin, createTimeMicros }: StoredPolicy): number {
    const { sinceMicros = createTimeMicros } = this.options.progress.of(spec.name);
    return origin === "FILE" ? sinceMicros : createTimeMicros;
  }

  /** What was due before a change or a pause is not made up: the host was not down. */
  private skipEarlier({ spec }: StoredPolicy): void {
    const nowMs = Math.floor(this.options.platform.nowMicros() / 1000);
    this.options.progress.change(spec.name, (known) => {
      for (const { key } of tasksOf(spec)) known.lastDueMs[key] = nowMs;
    });
  }

  private async schedule(policy: StoredPolicy): Promise<void> {
    const { runner, continuous } = this.options;
    const { spec, paused } = policy;
    if (paused) runner.unschedule(spec.name);
    else runner.schedule(spec, Math.floor(this.sinceMicros(policy) / 1000));
    if (paused || spec.schedule.kind !== "continuous") await continuous.stop(spec.name);
    else await continuous.start(spec);
  }

  /** Throws REQUEST_INVALID with the field in the metadata, and INDEX_NOT_FOUND. */
  async check(spec: PolicySpec): Promise<void> {
    const { notifications } = this.options;
    checkPolicy(spec);
    this.options.requireIndex(spec.indexLink);
    if (spec.acknowledge === "COPIED" && !this.options.seesEachWrite)
      throw fieldError(
        "acknowledge",
        "COPIED is not possible with an index in a database, which other hosts write too. Let the database commit to a synchronous standby instead.",
      );
    for (const [i, recipient] of spec.recipients.entries())
      if (!(await this.options.isRecipient(recipient)))
        throw fieldError(
          `recipients[${i}]`,
          "is not a recipient of age (age1...): its form, checksum or length is wrong. Copy it again.",
        );
    for (const [i, webhook] of spec.webhooks.entries())
      notifications.checkWebhook(webhook, `notify.webhooks[${i}]`);
    for (const [i, url] of spec.heartbeats.entries())
      notifications.checkHeartbeat(url, `notify.heartbeats[${i}]`);
  }

  /** Writes a small object at each destination that is new. Errors name the field. */
  private async probe(spec: PolicySpec, known: readonly string[]): Promise<void> {
    const signal = AbortSignal.timeout(limits.policyProbeMs);
    for (const [i, uri] of destinationsOf(spec).entries()) {
      if (known.includes(uri)) continue;
      const field = i === 0 ? "destination" : `copies[${i - 1}].destination`;
      try {
        await this.options.management.checkDestination(uri, signal);
      } catch (thrown) {
        throw HostError.from(thrown).inField(field);
      }
    }
  }

  private async previewAt(
    spec: PolicySpec,
    uri: string,
    signal: AbortSignal,
  ): Promise<PreviewedDestination> {
    const { steps, management } = this.options;
    const destination = withoutSecrets(uri);
    try {
      const { decisions } = await steps.planRetention(spec, uri, signal);
      const names = decisions.filter(({ keep }) => !keep).map(({ name }) => name);
      const freedBytes =
        names.length === 0 ? 0 : (await management.pruneBackups(uri, names, true)).freedBytes;
      return { destination, decisions, freedBytes };
    } catch (thrown) {
      signal.throwIfAborted();
      const { reason, message } = HostError.from(thrown);
      // Before the first backup there is nothing to decide on.
      const isNew = !this.options.progress.of(spec.name).destinations[destination]?.backupName;
      if (reason === "BACKUP_NOT_FOUND" && isNew)
        return { destination, decisions: [], freedBytes: 0 };
      return { destination, decisions: [], freedBytes: 0, problem: message };
    }
  }

  private async view(
    policy: StoredPolicy,
    sharing: Sharing = sharingOf(this.options.store.all()),
  ): Promise<PolicyView> {
    const { runner, continuous, progress, platform, notifications } = this.options;
    const { spec } = policy;
    const retryMs = runner.retryMs(spec);
    const heartbeats = notifications.heartbeats(spec.name, spec.heartbeats);
    const nextRunsMicros = this.nextRuns(policy);
    const deliveries = spec.webhooks.length === 0 ? [] : notifications.deliveries(spec.name);
    return {
      policy,
      uris: destinationsOf(spec).map(withoutSecrets),
      nowMicros: platform.nowMicros(),
      state: this.stateOf(policy, retryMs),
      problems: await this.problems(policy),
      nextRunsMicros,
      otherRuns: this.otherRuns(policy),
      retryMicros: (retryMs ?? 0) * 1000,
      progress: progress.of(spec.name),
      degraded: continuous.blocked(spec.name)?.whenUnreachable === "DEGRADE",
      heartbeats,
      warnings: warningsOf({ spec, sharing, heartbeats, deliveries, nextRunsMicros }),
    };
  }

  private stateOf(
    { spec, paused }: StoredPolicy,
    retryMs: number | undefined,
  ): PolicyView["state"] {
    const { runner, continuous } = this.options;
    const state = continuous.status(spec.name)?.state;
    if (runner.isRunning(spec.name) || state === "RUNNING") return "RUNNING";
    if (paused) return "PAUSED";
    return retryMs !== undefined || state === "RETRYING" ? "RETRYING" : "ACTIVE";
  }

  private async problems(policy: StoredPolicy): Promise<PolicyProblem[]> {
    const { progress, platform, hasDocuments, continuous } = this.options;
    const { spec, paused } = policy;
    if (paused) return [];
    return problemsOf({
      spec,
      progress: progress.of(spec.name),
      nowMicros: platform.nowMicros(),
      sinceMicros: this.sinceMicros(policy),
      hasDocuments: spec.maxAgeMs !== undefined && (await hasDocuments(spec.indexLink)),
      isCurrent: continuous.status(spec.name)?.state === "CURRENT",
      degraded: blockedText(continuous.blocked(spec.name)),
    });
  }

  /** The next backups of a policy, in microseconds since 1970. */
  private nextRuns(policy: StoredPolicy): number[] {
    const { spec, paused } = policy;
    return paused ? [] : this.planned(policy, spec.schedule, limits.policyNextRuns);
  }

  /** The next run of each task of a policy that is no backup, in their order. */
  private otherRuns(policy: StoredPolicy): PlannedRun[] {
    const { spec, paused } = policy;
    if (paused) return [];
    return tasksOf(spec)
      .filter(({ kind }) => kind !== "BACKUP")
      .flatMap(({ kind, schedule, copy = "" }) =>
        this.planned(policy, schedule, 1).map((timeMicros) => ({
          kind,
          destination: withoutSecrets(copy),
          timeMicros,
        })),
      )
      .sort((a, b) => a.timeMicros - b.timeMicros);
  }

  private planned(policy: StoredPolicy, schedule: Schedule, count: number): number[] {
    const nowMs = Math.floor(this.options.platform.nowMicros() / 1000);
    const anchorMs = Math.floor(this.sinceMicros(policy) / 1000);
    return nextRuns(schedule, nowMs, count, anchorMs).map((ms) => ms * 1000);
  }

  private refuseBuiltIn(): never {
    const { name } = this.options.builtIn;
    throw new HostError(
      "POLICY_READ_ONLY",
      `Policy ${name} is the automatic backups of the host. Pause or resume it; its destination is --auto-backup-destination of holdfast serve.`,
      { metadata: { policy: name } },
    );
  }
}

/**
 * What is not returned is kept by an update that does not give it: the secret of a webhook, and the queries of
 * URLs, which may be secret too.
 */
function withSecrets(given: PolicySpec, current: PolicySpec): PolicySpec {
  const heartbeats = [...current.heartbeats];
  return {
    ...given,
    webhooks: given.webhooks.map((webhook) => {
      const before = current.webhooks.find(({ url }) => isSameUrl(webhook.url, url));
      if (!before) return webhook;
      return {
        ...webhook,
        url: withQuery(webhook.url, before.url),
        secret: webhook.secret || before.secret,
      };
    }),
    heartbeats: given.heartbeats.map((url) => {
      const i = heartbeats.findIndex((one) => isSameUrl(url, one));
      return i < 0 ? url : withQuery(url, heartbeats.splice(i, 1)[0] ?? url);
    }),
  };
}

const isSameUrl = (a: string, b: string) => withoutSecrets(a) === withoutSecrets(b);
const withQuery = (given: string, stored: string) =>
  given === withoutSecrets(given) ? stored : given;

function blockedText(blocked: BlockedCopies | undefined): string | undefined {
  if (!blocked) return undefined;
  const { problem, whenUnreachable } = blocked;
  return whenUnreachable === "FAIL"
    ? `Writes are refused, because they cannot be copied: ${problem}`
    : `Writes are acknowledged before they are copied: ${problem}`;
}
