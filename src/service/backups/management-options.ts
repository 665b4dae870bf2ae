import type { ManifestTrust } from "../../container/container.js";
import type { EncryptTo } from "../../encoding/encoding-call.js";
import type { Operations } from "../../operation/operations.js";
import type { WrittenManifests } from "../../backup/written-manifests.js";
import type { DestinationRegistry } from "../../destination/registry.js";
import type { StorageEngine } from "../../engine/engine.js";
import type { Platform } from "../../io/platform.js";
import type { DocumentIndex } from "../../store/document-index.js";
import type { IndexStates } from "./index-states.js";
import type { OpenedIndexes } from "./opened-indexes.js";
import type { StreamedManifests } from "./streamed-manifests.js";
import type { Verifications } from "./verifications.js";
import type { HostDescription } from "../host/description.js";

/** Dependencies of the management service. */
export interface ManagementOptions {
  platform: Platform;
  storageEngine: StorageEngine;
  operations: Operations;
  /** INDEX_NOT_FOUND for an unknown link. */
  indexOf(link: string): DocumentIndex;
  registry: DestinationRegistry;
  states: IndexStates;
  opened: Pick<OpenedIndexes, "open" | "closeIndex">;
  verifications: Verifications;
  written: WrittenManifests;
  /** Signs manifests. Returns the text of a signature file. Default: they are not signed. */
  sign?: ((bytes: Uint8Array) => string) | undefined;
  /** Manifests that it refuses are not used. Default: all are used. */
  trust?: ManifestTrust | undefined;
  /** Who can decrypt backups whose requests state nothing else. Default: backups are not encrypted. */
  encryptTo?: EncryptTo | undefined;
  /** Manifests of streamed backups, which later ones may extend. */
  streamed: Pick<StreamedManifests, "find">;
  /** See IndexStatesOptions. */
  ownIndexIds(): string[];
  /** Directory for temporary files, on the disk of the indexes. */
  temporaryDirectory: string;
  hostId: string;
  productVersion: string;
  describeHost(): Promise<HostDescription>;
  /**
   * Pauses automatic backups while a restore reads `source`, a URI, if it may be one of theirs: a run removes segments
   * that it no longer needs. Resolves with the function that resumes them.
   */
  pauseAutoBackup(source: string): Promise<() => void>;
  /** Whether a policy decides which backups at a destination, a URI, stay; then a backup removes none. */
  keepsEarlier(destination: string): boolean;
}
