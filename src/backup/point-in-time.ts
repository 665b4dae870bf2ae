/** A state of an index: of a backup or of the live index. */
export interface IndexPointInTime {
  /** Where the backup is; absent: the live index. */
  uri?: string;
  /** Absent: the newest. */
  manifest?: string;
  /** Absent: its end. */
  targetTimeMicros?: bigint;
  /** Of the live index. */
  indexLink: string;
  /** As in RestoreRequest. */
  bearer?: string;
}

/** Some documents of an index: those whose link is one of the links or begins with a prefix, and whose kind is one of the kinds. None of either: all. */
export interface DocumentSelection {
  prefixes: readonly string[];
  kinds: readonly string[];
  links: readonly string[];
}

/** A document that is not the same in two states of an index. */
export interface DocumentDifference {
  link: string;
  change: "CREATED" | "CHANGED" | "DELETED";
  kind: string;
  from?: { version: number; updateTimeMicros: number };
  to?: { version: number; updateTimeMicros: number };
}

export interface DiffSummary {
  created: number;
  changed: number;
  deleted: number;
  unchanged: number;
}
