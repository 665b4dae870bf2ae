import { durationText, parseDuration } from "../../policy/duration.js";

/** Parses an optional duration: undefined for an empty text. Throws REQUEST_INVALID with the field. */
export function parseDurationField(text: string, field: string): number | undefined {
  return text === "" ? undefined : parseDuration(text, field);
}

/** Formats an optional duration: an empty text for undefined. */
export function durationField(ms: number | undefined): string {
  return ms === undefined ? "" : durationText(ms);
}
