import { createManagementService } from "../service/backups/management.js";
import { checkAfterUncleanStop } from "../service/backups/check-index.js";
import type { ManagementService } from "../service/backups/management-service.js";
import { StreamService } from "../service/backups/streams.js";
import type { HostDescription } from "../service/host/description.js";
import type { Policies } from "../service/policies/policies.js";
import type { Stats } from "../stats/stats.js";
import type { FileStore } from "../xenon/local-files/file-store.js";
import { openBackups, type Backups } from "./backups.js";
import type { HostContext } from "./context.js";
import { openLocalFiles } from "./local-files.js";
import { openPolicies } from "./policies.js";
import { productVersion } from "./product-version.js";
import type { LeaderStorage } from "./storage.js";

/**
 * What one host does for all that share its database: backups, restores and the operations and policies that they
 * belong to. A host with a data directory of its own does it always.
 */
export interface LeaderServices {
  readonly backups: Backups;
  readonly management: ManagementService;
  readonly policies: Policies;
  readonly streams: StreamService;
  readonly fileStore: FileStore;
}

/** Opens the services of the leader, which end with the lifecycle of the context. */
export async function openLeaderServices(
  context: HostContext,
  storage: LeaderStorage,
  stats: Stats,
  describeHost: (backups: Backups) => Promise<HostDescription>,
): Promise<LeaderServices> {
  const { options, directory, hostId, logger } = context;
  const { platform } = options;
  const backups = await openBackups(context, storage, stats);
  const fileStore = await openLocalFiles(context, backups);
  const { operations, autoBackup } = backups;
  // Policies use the service, which asks them back.
  const later: { policies?: Policies } = {};
  const management = createManagementService({
    ...backups,
    platform,
    storageEngine: storage.storageEngine,
    indexOf: storage.indexOf,
    ownIndexIds: storage.ownIndexIds,
    temporaryDirectory: directory.temporary,
    hostId,
    productVersion,
    describeHost: () => describeHost(backups),
    async pauseAutoBackup(source) {
      const resume = isAutoBackupSource(source, backups.autoBackupUri)
        ? await autoBackup.pause()
        : () => {};
      const resumePolicies = await later.policies?.pause((uri) => isAutoBackupSource(source, uri));
      return () => {
        resume();
        resumePolicies?.();
      };
    },
    keepsEarlier: (uri) => later.policies?.hasScheduled(uri) ?? false,
  });
  await checkAfterUncleanStop(
    storage.durableIndex,
    (link) => management.checkIndex(link),
    (fields, message) => logger.warn(fields, message),
  );
  const policies = await openPolicies(context, storage, backups, management);
  later.policies = policies;
  const streams = new StreamService({
    files: platform.files,
    transfers: backups.transfers,
    management,
    operations,
    idleMs: options.streamIdleMs,
  });
  return { backups, management, policies, streams, fileStore };
}

/** Whether a URI names the destination of automatic backups, or an object or a namespace inside it. */
const isAutoBackupSource = (source: string, destination: string) =>
  source === destination || source.startsWith(`${destination.replace(/\/$/, "")}/`);
