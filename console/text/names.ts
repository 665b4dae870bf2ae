/** The index that is kept on disk. */
export const durableIndex = "/core/document-index";

/** The name of an enum value of the API for people, for example "restore" for OPERATION_KIND_RESTORE. */
export const nameOf = (value: string | undefined, prefix: string) =>
  (value ?? "").replace(prefix, "").toLowerCase().replaceAll("_", " ");
