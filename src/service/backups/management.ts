import { pruneBackups } from "../../backup/prune.js";
import { fromFileError } from "../../io/file-error.js";
import type { ManagementOptions } from "./management-options.js";
import { createIndexCheck } from "./check-index.js";
import { createBackupChecks } from "./backup-checks.js";
import { createInspectionService } from "./inspection.js";
import type { ManagementService } from "./management-service.js";
import { createBackupStart } from "./start-backup.js";
import { createRestoreStarts } from "./start-restore.js";

export function createManagementService(options: ManagementOptions): ManagementService {
  const { platform, states } = options;
  return {
    host: options.describeHost,
    backup: createBackupStart(options),
    ...createRestoreStarts(options, states),
    checkIndex: createIndexCheck(options),
    ...createBackupChecks(options),
    inspection: createInspectionService(states),
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
