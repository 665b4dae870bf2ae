import type { DocumentDifference, DocumentSelection } from "./point-in-time.js";
import type { DecryptWith } from "../encoding/encoding-call.js";
import type { BackupDescription } from "../segment/description.js";

/** Request for a restore. */
export interface RestoreRequest {
  /** URI of the backup, the same as its destination. */
  source: string;
  indexLink: string;
  /** Point in time to restore, inclusive, in microseconds since 1970. Default: the end of the backup. */
  targetTimeMicros?: bigint;
  /** As in Xenon: a time after the window restores everything, a time before the first version an empty index. Default: both are refused. */
  lenientTargetTime?: boolean;
  /** Whether the request names the index, which allows a backup of another index. */
  indexNamed?: boolean;
  /** Name of the manifest to restore. Default: the newest. */
  manifest?: string;
  requestId?: string;
  validateOnly?: boolean;
  /** http(s): bearer token, sent only to the origin of the source. */
  bearer?: string;
  /** Keys for an encrypted backup. Never logged or returned. */
  decryptWith?: DecryptWith;
  /** Expected position of the index at the switch; INDEX_CHANGED, without any effect, if it differs. */
  ifPositionMicros?: number;
  /** Restores only these documents, as new versions in the live index. */
  selection?: DocumentSelection & { deleteOthers: boolean };
  /** URIs of archives with segments that the manifest lists and the source lacks. */
  baseSources?: string[];
}

/** Result of a restore of selected documents, or of its dry run: numbers of documents. */
export interface SelectionResult {
  created: number;
  replaced: number;
  unchanged: number;
  deleted: number;
  /** Documents that the backup does not have and that were kept. */
  kept: number;
  /** First limits.restoreSamples of the created, replaced and deleted documents. */
  differences: DocumentDifference[];
}

/** Request to revert the last restore of an index. */
export interface UndoRequest {
  indexLink: string;
  /** Whether to change nothing, and return the plan. Default: false. */
  validateOnly?: boolean;
  /** Whether to revert the last restore of the whole index although documents were restored after it. Default: false. */
  ignorePartialRestores?: boolean;
  /** Lineage that the index must still have, that of the restore to undo. Default: any. */
  ifLineage?: string;
}

/** Dry-run plan of a restore or an undo. */
export interface RestoreDryRunPlan {
  /** Absent for an undo. */
  backup?: BackupDescription;
  currentDocuments: number;
  currentVersions: number;
  currentPositionMicros: number;
  /** Number of current versions that the restore would discard; absent if the backup is of another lineage. */
  discardedVersions?: number;
  neededBytes: number;
  freeBytes: number;
  expectedMicros?: number;
}

/** Result of a restore or an undo, or of its dry run. */
export interface RestoreResult {
  indexLink: string;
  lineage: string;
  documents: number;
  versions: number;
  positionMicros: number;
  /** The point in time that was restored, if one was requested. */
  targetTimeMicros?: number;
  warnings: string[];
  /** Only for a restore of selected documents. */
  selection?: SelectionResult;
  /** Only with validateOnly. */
  plan?: RestoreDryRunPlan;
}
