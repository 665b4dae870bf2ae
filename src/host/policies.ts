import { fromPolicy } from "../api/convert/policy.js";
import { Identities } from "../encryption/identities.js";
import { parseRecipients } from "../encryption/recipients.js";
import { limits } from "../limits.js";
import { Notifications } from "../notification/notifications.js";
import type { PolicySpec } from "../policy/policy.js";
import { withoutSecrets } from "../security/secrets.js";
import type { ManagementService } from "../service/backups/management-service.js";
import { durableIndexLink } from "../service/documents/factories.js";
import { Policies, type BuiltInPolicy } from "../service/policies/policies.js";
import { ContinuousBackups } from "../service/policies/continuous-backups.js";
import { PolicyEvents } from "../service/policies/policy-events.js";
import { PolicyProgressFile } from "../service/policies/policy-progress.js";
import { PolicyRunner } from "../service/policies/policy-runner.js";
import { PolicySteps } from "../service/policies/policy-steps.js";
import { PolicyStore } from "../service/policies/policy-store.js";
import { RunHistory } from "../service/policies/run-history.js";
import type { Backups } from "./backups.js";
import type { HostContext } from "./context.js";
import { parsePolicyFile } from "./policy-file.js";
import { productVersion } from "./product-version.js";
import type { LeaderStorage } from "./storage.js";

const builtInStates = {
  OFF: "PAUSED",
  CURRENT: "ACTIVE",
  WAITING: "ACTIVE",
  RUNNING: "RUNNING",
  RETRYING: "RETRYING",
} as const;

/** Name of the policy that stands for the automatic backups of the host. */
const builtInName = "automatic";

/** Throws IDENTITY_INVALID. */
export async function parseHostIdentities(identities: string): Promise<void> {
  await Identities.parse(identities, "the identities of the host");
}

/** Opens the backup policies of a host and schedules them. */
export async function openPolicies(
  context: HostContext,
  storage: LeaderStorage,
  backups: Backups,
  management: ManagementService,
): Promise<Policies> {
  const { options, directory, hostId, lifecycle, logger, onInternalError } = context;
  const { platform } = options;
  const { state } = storage;
  const onProblem = (error: unknown) =>
    logger.warn({ err: error }, "a problem of backup policies that stops none of them");
  let checkHealth = () => {};
  if (options.identities !== undefined) await parseHostIdentities(options.identities);
  const declared = declaredPolicies(options.policies);
  const store = await PolicyStore.open({
    platform: state.platform,
    path: state.directory.policies,
    declared,
  });
  const specOf = (name: string) => (store.has(name) ? store.get(name).spec : undefined);
  const progress = await PolicyProgressFile.open({
    platform: state.platform,
    path: state.directory.policyProgress,
    onProblem,
  });
  lifecycle.onClose(() => progress.settled());
  const history = await RunHistory.open({
    platform: state.platform,
    directory: state.directory.policyRuns,
    onProblem,
  });
  const nowMs = () => Math.floor(platform.nowMicros() / 1000);
  const clock = { nowMs, setTimer };
  const notifications = await Notifications.open({
    platform: state.platform,
    directory: state.directory.path,
    ...backups.network,
    clock,
    targetsOf: (name) => specOf(name)?.webhooks ?? [],
    onProblem,
  });
  lifecycle.onClose(() => notifications.close());
  const events = new PolicyEvents({
    hostId,
    nowMicros: platform.nowMicros,
    notifications,
    onProblem,
  });
  const steps = new PolicySteps({
    platform,
    management,
    operations: backups.operations,
    ownIndexIds: storage.ownIndexIds,
    identities: options.identities,
  });
  const runner = new PolicyRunner({
    platform,
    clock,
    progress,
    history,
    steps,
    specOf,
    onEnded: (spec, run, failuresBefore) => {
      const fields = { policy: spec.name, kind: run.kind, reason: run.reason, steps: run.steps };
      if (run.state === "SUCCEEDED") logger.info(fields, "policy run succeeded");
      else logger.warn(fields, "policy run failed");
      events.ended(spec, run, failuresBefore);
      checkHealth();
    },
    onMissed: (spec, kind, dueMs) => events.missed(spec, kind, dueMs),
    onInternalError,
  });
  const continuous = new ContinuousBackups({
    ...backups,
    platform,
    indexOf: storage.indexOf,
    temporaryDirectory: directory.temporary,
    hostId,
    productVersion,
    progress,
    history,
    onFailed(spec, { reason, message }) {
      logger.warn(
        { policy: spec.name, reason, problem: message },
        "continuous backup failed; retrying",
      );
      events.failed(spec, { reason, message });
      checkHealth();
    },
    onSucceeded(spec, failuresBefore) {
      events.succeeded(spec, failuresBefore);
      if (failuresBefore > 0) checkHealth();
    },
    onBlocked: () => checkHealth(),
    onBackgroundError: onInternalError,
  });
  context.events.on("committed", (link) => continuous.committed(link));
  const policies = new Policies({
    platform,
    store,
    progress,
    history,
    runner,
    continuous,
    steps,
    events,
    notifications,
    management,
    requireIndex: (link) => void storage.indexOf(link),
    seesEachWrite: storage.storageEngine.shared === undefined,
    hasDocuments: async (link) => (await storage.indexOf(link).state()).versions > 0,
    isRecipient: (text) =>
      parseRecipients(text).then(
        () => true,
        () => false,
      ),
    onChanged: () => checkHealth(),
    builtIn: builtInPolicy(context, backups),
  });
  lifecycle.onClose(() => policies.close());
  for (const spec of declared) await policies.check(spec);
  await policies.start();
  notifications.start();
  checkHealth = () =>
    void policies
      .checkHealth()
      .then((problems) => backups.health.policies(problems))
      .catch(onInternalError);
  checkHealth();
  const timer = setInterval(checkHealth, limits.policyHealthMs).unref();
  lifecycle.onClose(() => clearInterval(timer));
  return policies;
}

/** Returns the policies of a policy file. Throws CONFIGURATION_INVALID and REQUEST_INVALID. */
export function declaredPolicies(text: string | undefined): PolicySpec[] {
  if (text === undefined) return [];
  return parsePolicyFile("The file of --policy-file", text).policies.map(fromPolicy);
}

function setTimer(callback: () => void, ms: number): { clear(): void } {
  const timer = setTimeout(callback, ms).unref();
  return { clear: () => clearTimeout(timer) };
}

/** The automatic backups of the host, which Xenon's AutoBackupConfiguration enables, as a policy. */
function builtInPolicy(
  { options: { platform }, startTimeMicros }: HostContext,
  { autoBackup, saveAutoBackup, paths }: Backups,
): BuiltInPolicy {
  return {
    name: builtInName,
    async setPaused(paused) {
      await saveAutoBackup(!paused);
      await autoBackup.configure(!paused);
    },
    view() {
      const status = autoBackup.status();
      const uri = withoutSecrets(paths.autoBackupUri);
      const problem = status.lastError?.message;
      return {
        policy: {
          spec: {
            name: builtInName,
            indexLink: durableIndexLink,
            destination: uri,
            recipients: [],
            schedule: { kind: "continuous" },
            timeZone: "UTC",
            jitterMs: 0,
            copies: [],
            webhooks: [],
            heartbeats: [],
            acknowledge: "LOCAL",
            whenUnreachable: "FAIL",
          },
          origin: "BUILT_IN",
          paused: !status.enabled,
          createTimeMicros: startTimeMicros,
          updateTimeMicros: startTimeMicros,
          revision: 0,
        },
        uris: [uri],
        nowMicros: platform.nowMicros(),
        state: builtInStates[status.state],
        problems:
          status.enabled && problem !== undefined ? [{ kind: "failing", message: problem }] : [],
        nextRunsMicros: [],
        otherRuns: [],
        retryMicros: 0,
        degraded: false,
        warnings: [],
        heartbeats: [],
        progress: {
          lastDueMs: {},
          lastSuccessMicros: status.lastSuccessMicros ?? 0,
          failures: {},
          skippedRuns: 0,
          missedRuns: 0,
          destinations: {
            [uri]: {
              backupName: "",
              positionMicros: status.positionMicros ?? 0,
              lastSuccessMicros: status.lastSuccessMicros ?? 0,
              lastError: problem ?? "",
              behindSinceMicros: 0,
              windowFromMicros: 0,
              windowToMicros: 0,
              lastProvenRestoreMicros: 0,
            },
          },
        },
      };
    },
  };
}
