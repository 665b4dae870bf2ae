/** What happened to a document to make a version of it; Xenon's names. */
export type Action = "POST" | "PATCH" | "PUT" | "DELETE";

/** One immutable state of a document. */
export interface DocumentVersion {
  /** The self link, for example /core/examples/one. */
  link: string;
  /** From 0, without gaps, in one document. */
  version: number;
  /** Microseconds since 1970; strictly increasing in one index, so also the position in its log. */
  updateTimeMicros: number;
  action: Action;
  /** For example com:vmware:xenon:services:common:ExampleService:ExampleServiceState. */
  kind: string;
  /** The id of the host that wrote the version. */
  owner: string;
  /** Microseconds since 1970, or 0: never. */
  expirationTimeMicros: number;
  /** The document's own fields as a JSON object in text, numbers verbatim as they came; no reserved field (system-fields.ts). */
  body: string;
}

/** How a PATCH is laid over the current state; the rules themselves are in merge.ts. */
export type MergeRule = "shallow" | "example";

/** A change to one document. The writer assigns version and update time. */
export interface DocumentWrite {
  action: Action;
  link: string;
  kind: string;
  owner: string;
  /** POST, PUT: the new body. PATCH: what is merged in. DELETE: unused, the last body is kept. */
  body: string;
  mergeRule: MergeRule;
  /** Absent: a PATCH and a DELETE keep the current one, POST and PUT take 0. */
  expirationTimeMicros?: number;
  /** Refused with VERSION_MISMATCH unless the current version is this one. */
  expectedVersion?: number;
  /** POST onto a deleted link goes on from the deleted version instead of being refused. */
  revive?: boolean;
}
