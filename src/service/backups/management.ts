import type { Operations } from "../../operation/operations.js";
import { pruneBackups } from "../../backup/prune.js";
import type { WrittenManifests } from "../../backup/written-manifests.js";
import type { DestinationRegistry } from "../../destination/registry.js";
import type { StorageEngine } from "../../engine/engine.js";
import { fromFileError } from "../../io/file-error.js";
import type { Platform } from "../../io/platform.js";
import type { DocumentIndex } from "../../store/document-index.js";
import { createIndexCheck } from "./check-index.js";
import { createBackupChecks } from "./backup-checks.js";
import type { IndexStates } from "./index-states.js";
import { createInspectionService } from "./inspection.js";
import type { HostDescription } from "../host/description.js";
import type { ManagementService } from "./management-service.js";
import { createBackupStart } from "./start-backup.js";
import { createRestoreStarts } from "./start-restore.js";
import type { StreamedManifests } from "./streamed-manifests.js";
import type { Verifications } from "./verifications.js";

export interface ManagementOptions {
  platform: Platform;
  storageEngine: StorageEngine;
  operations: Operations;
  /** INDEX_NOT_FOUND for an unknown link. */
  indexOf(link: string): DocumentIndex;
  registry: DestinationRegistry;
  states: IndexStates;
  verifications: Verifications;
  written: WrittenManifests;
  /** Manifests of backups that were streamed, which later ones may continue. */
  streamed: Pick<StreamedManifests, "find">;
  /** As of IndexStatesOptions. */
  ownIndexIds(): string[];
  /** On the disk of the indexes. */
  temporaryDirectory: string;
  hostId: string;
  productVersion: string;
  describeHost(): Promise<HostDescription>;
  /** Keeps automatic backups from changing their directory, which may be the source of a restore. Resolves to what resumes them. */
  pauseAutoBackup(): Promise<() => void>;
}

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
