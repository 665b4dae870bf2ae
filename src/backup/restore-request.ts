import type { DocumentDifference, DocumentSelection } from "./point-in-time.js";
import type { BackupDescription } from "../segment/description.js";

export interface RestoreRequest {
  /** Where the backup is: the same URI it was backed up to. */
  source: string;
  indexLink: string;
  /** Versions at exactly this time stay. Absent: everything. */
  targetTimeMicros?: bigint;
  /** Xenon's: after the window means everything, before the first version an empty index. Otherwise both are refused. */
  lenientTargetTime?: boolean;
  /** Whether the request named the index: only then a backup of another index is restored into this one. */
  indexNamed?: boolean;
  /** The manifest to restore; absent: the newest. */
  manifest?: string;
  requestId?: string;
  validateOnly?: boolean;
  /** http(s): sent as Authorization: Bearer to the source's own origin alone. */
  bearer?: string;
  /** The index must still be at this position when it is switched, or nothing is done: INDEX_CHANGED. */
  ifPositionMicros?: number;
  /** Only these documents are put back, into the live index, as new versions. */
  selection?: DocumentSelection & { deleteOthers: boolean };
  /** Further archives that hold segments which the manifest lists and the source itself lacks. */
  baseSources?: string[];
}

/** What became of the documents of a selection; of validateOnly, what would. */
export interface SelectionResult {
  created: number;
  replaced: number;
  unchanged: number;
  deleted: number;
  /** The backup has them not: they stayed as they are. */
  kept: number;
  /** The first limits.restoreSamples of those created, replaced and deleted. */
  differences: DocumentDifference[];
}

/** What a restore would do. */
export interface RestoreDryRunPlan {
  backup: BackupDescription;
  currentDocuments: number;
  currentVersions: number;
  currentPositionMicros: number;
  /** Versions that the restored index would not have; absent where the backup is of another history. */
  discardedVersions?: number;
  neededBytes: number;
  freeBytes: number;
  expectedMicros?: number;
}

export interface RestoreResult {
  indexLink: string;
  lineage: string;
  documents: number;
  versions: number;
  positionMicros: number;
  /** The point in time that was restored, if one was requested. */
  targetTimeMicros?: number;
  warnings: string[];
  /** Of a restore of some documents. */
  selection?: SelectionResult;
  /** Of validateOnly. */
  plan?: RestoreDryRunPlan;
}
