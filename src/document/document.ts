/** The change that created a version, with Xenon's names. */
export type Action = "POST" | "PATCH" | "PUT" | "DELETE";

/** One immutable state of a document. */
export interface DocumentVersion {
  /** The self link, for example /core/examples/one. */
  link: string;
  /** Starts at 0 and increases by 1 with each change of the document. */
  version: number;
  /**
   * Microseconds since 1970. Strictly increasing within an index, so that it is also the position
   * in its log.
   */
  updateTimeMicros: number;
  action: Action;
  /** For example com:vmware:xenon:services:common:ExampleService:ExampleServiceState. */
  kind: string;
  /** ID of the host that wrote the version. */
  owner: string;
  /** Microseconds since 1970, or 0 for never. */
  expirationTimeMicros: number;
  /**
   * The document's own fields as JSON text of an object, with numbers kept verbatim, and without
   * reserved fields (system-fields.ts).
   */
  body: string;
}

/** How a PATCH is merged into the current state. The rules are implemented in merge.ts. */
export type MergeRule = "shallow" | "example";

/** A change to one document. The writer assigns version and update time. */
export interface DocumentWrite {
  action: Action;
  link: string;
  kind: string;
  owner: string;
  /**
   * New body for POST and PUT, fields to merge for PATCH; unused for DELETE, which keeps the last
   * body.
   */
  body: string;
  mergeRule: MergeRule;
  /** Default: unchanged for PATCH and DELETE, 0 for POST and PUT. */
  expirationTimeMicros?: number;
  /** If set, the write fails with VERSION_MISMATCH unless this is the current version. */
  expectedVersion?: number;
  /** Lets a POST to a deleted link continue from the deleted version instead of failing. */
  revive?: boolean;
}
