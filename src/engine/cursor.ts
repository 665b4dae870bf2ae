import { HostError } from "../errors.js";

/** Position of a listing. Every later page reads the index as of the first page. */
export interface Cursor {
  /** Position of the log that the listing reads. */
  at: number;
  /** The last link of an unfiltered listing, the last time of a filtered one, or the number of rows read of a sorted one. */
  link?: string;
  time?: number;
  skip?: number;
}

export function formatCursor(cursor: Cursor): string {
  return JSON.stringify(cursor);
}

/** PAGE_TOKEN_INVALID. */
export function parseCursor(text: string): Cursor {
  const invalid = () =>
    new HostError(
      "PAGE_TOKEN_INVALID",
      "The page token is invalid. Start the listing again without a token.",
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid();
  }
  if (
    typeof value !== "object" ||
    value === null ||
    !("at" in value) ||
    typeof value.at !== "number"
  )
    throw invalid();
  const { at } = value;
  const link = "link" in value && typeof value.link === "string" ? { link: value.link } : {};
  const time = "time" in value && typeof value.time === "number" ? { time: value.time } : {};
  const skip = "skip" in value && typeof value.skip === "number" ? { skip: value.skip } : {};
  return { at, ...link, ...time, ...skip };
}
