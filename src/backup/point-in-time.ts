import type { DecryptWith } from "../encoding/encoding-call.js";

/** A state of an index: a backup or the live index, at its end or at a point in time. */
export interface IndexPointInTime {
  /** URI of the backup. Default: the live index. */
  uri?: string;
  /** Name of the manifest. Default: the newest. */
  manifest?: string;
  /** Point in time, inclusive, in microseconds since 1970. Default: the end. */
  targetTimeMicros?: bigint;
  /** Link of the live index. */
  indexLink: string;
  /** http(s): bearer token, sent only to the origin of the URI. */
  bearer?: string;
  /** Keys for an encrypted backup. */
  decryptWith?: DecryptWith;
}

/** Selects documents that match any link or any prefix, and any kind. Without links and prefixes all links match, without kinds all kinds. */
export interface DocumentSelection {
  prefixes: readonly string[];
  kinds: readonly string[];
  links: readonly string[];
}

/** A document that differs between two states of an index. */
export interface DocumentDifference {
  link: string;
  change: "CREATED" | "CHANGED" | "DELETED";
  kind: string;
  from?: { version: number; updateTimeMicros: number };
  to?: { version: number; updateTimeMicros: number };
}

/** Numbers of documents in a comparison. */
export interface DiffSummary {
  created: number;
  changed: number;
  deleted: number;
  unchanged: number;
  /** About the choice of the backups. */
  warnings: string[];
}
