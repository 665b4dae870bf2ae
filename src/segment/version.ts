/** The version of the manifest and of the segments' tables. docs/format.md describes it; a reader refuses a newer one. */
export const formatVersion = 1;
