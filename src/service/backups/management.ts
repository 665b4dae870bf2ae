import { checkDestination } from "../../backup/check-destination.js";
import { pinBackup, unpinBackup } from "../../backup/pins.js";
import { pruneBackups } from "../../backup/prune.js";
import { fromFileError } from "../../io/file-error.js";
import type { ManagementOptions } from "./management-options.js";
import { createIndexCheck } from "./check-index.js";
import { BackupChecks } from "./backup-checks.js";
import { createInspectionService } from "./inspection.js";
import type { ManagementService } from "./management-service.js";
import { BackupStarter } from "./start-backup.js";
import { startOpen } from "./start-open.js";
import { startCopy } from "./start-copy.js";
import { RestoreStarter } from "./start-restore.js";

/** Combines the parts of the management service. */
export function createManagementService(options: ManagementOptions): ManagementService {
  const { platform, states } = options;
  const backups = new BackupStarter(options);
  const restores = new RestoreStarter(options);
  const checks = new BackupChecks(options);
  return {
    host: options.describeHost,
    backup: (request) => backups.start(request),
    restore: (request) => restores.restore(request),
    undoRestore: (request) => restores.undoRestore(request),
    openBackup: (request) => startOpen(options, request),
    closeBackup: (link) => options.opened.closeIndex(link),
    checkIndex: createIndexCheck(options),
    verifyBackup: (uri, manifest, depth) => checks.verifyBackup(uri, manifest, depth),
    describeBackup: (uri, manifest, access) => checks.describeBackup(uri, manifest, access),
    listBackups: (uri, listOptions) => checks.listBackups(uri, listOptions),
    checkDigests: (listings, access) => checks.checkDigests(listings, access),
    copyBackup: (request) => startCopy(options, request),
    inspection: createInspectionService(states),
    async checkDestination(uri, signal) {
      const { destination } = await options.registry.open({ uri, purpose: "write objects" });
      try {
        return await checkDestination(platform, destination, signal);
      } catch (error) {
        throw fromFileError(error, `Checking ${destination.displayName()}`);
      }
    },
    async pinBackup(uri, name, reason) {
      const location = await options.registry.open({ uri, purpose: "read" });
      try {
        await pinBackup(platform, location, name, reason);
      } catch (error) {
        throw fromFileError(error, `Pinning at ${location.destination.displayName()}`);
      }
    },
    async unpinBackup(uri, name) {
      const location = await options.registry.open({ uri, purpose: "read" });
      try {
        await unpinBackup(location, name);
      } catch (error) {
        throw fromFileError(error, `Unpinning at ${location.destination.displayName()}`);
      }
    },
    async pruneBackups(uri, names, validateOnly = false) {
      const location = await options.registry.open({ uri, purpose: "read" });
      try {
        return await pruneBackups(platform, location, names, validateOnly);
      } catch (error) {
        throw fromFileError(error, `Pruning ${location.destination.displayName()}`);
      }
    },
  };
}
