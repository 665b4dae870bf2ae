/** An index that is open for reading, as GetHost describes it. Times in microseconds since 1970. */
export interface OpenedDescription {
  /** /core/opened-indexes/ID. */
  link: string;
  /** Absent: the live index was opened. */
  source?: { uri: string; name: string };
  /** Index whose documents it contains. */
  sourceIndexLink: string;
  /** Last point in time that it shows. */
  targetTimeMicros: number;
  documents: number;
  versions: number;
  sizeBytes: number;
  openTimeMicros: number;
  expireTimeMicros: number;
  warnings: string[];
}
