import { isDeepStrictEqual } from "node:util";
import type { PlainAnswer } from "./send-requests.js";

/** An intended difference. */
export interface AllowedDifference {
  /** The name of a request, or the common part of several names. */
  request: string | RegExp;
  /** status, header.NAME, or body with the path of a field, for example body.message; a pattern matches several. */
  field: string | RegExp;
  /** The expected sides: a value, a pattern of its JSON, or undefined if the field is missing. */
  xenon: unknown;
  holdfast: unknown;
  why: string;
  /** Occurs in some runs only, depending on timing. */
  sometimes?: true;
}

export interface Difference {
  request: string;
  field: string;
  xenon: unknown;
  holdfast: unknown;
}

/** The fields in which two responses differ. */
export function differencesOf(
  request: string,
  xenon: PlainAnswer,
  holdfast: PlainAnswer,
): Difference[] {
  const found: Difference[] = [];
  const compare = (field: string, a: unknown, b: unknown): void => {
    if (isDeepStrictEqual(a, b)) return;
    if (Array.isArray(a) && Array.isArray(b) && a.length === b.length)
      a.forEach((item, i) => compare(`${field}[${i}]`, item, b[i]));
    else if (isObject(a) && isObject(b)) {
      for (const name of new Set([...Object.keys(a), ...Object.keys(b)]))
        compare(`${field}.${name}`, a[name], b[name]);
    } else found.push({ request, field, xenon: a, holdfast: b });
  };
  compare("status", xenon.status, holdfast.status);
  compare("header", xenon.headers, holdfast.headers);
  // If only one of them is an error, its message has no counterpart.
  if (xenon.status < 400 === holdfast.status < 400) compare("body", xenon.body, holdfast.body);
  else compare("body.message", messageOf(xenon), messageOf(holdfast));
  return found;
}

function messageOf({ status, body }: PlainAnswer): unknown {
  return status >= 400 && isObject(body) ? body["message"] : undefined;
}

export function allows(allowed: AllowedDifference, difference: Difference): boolean {
  return (
    named(allowed.request, difference.request) &&
    named(allowed.field, difference.field) &&
    says(allowed.xenon, difference.xenon) &&
    says(allowed.holdfast, difference.holdfast)
  );
}

/** A row of the table as a line of text. */
export function rowOf({ request, field, xenon, holdfast, why }: AllowedDifference): string {
  const shown = (value: unknown) =>
    value instanceof RegExp
      ? String(value)
      : value === undefined
        ? "nothing"
        : JSON.stringify(value);
  return `| ${String(request)} | ${String(field)} | ${shown(xenon)} | ${shown(holdfast)} | ${why} |`;
}

function named(pattern: string | RegExp, name: string): boolean {
  return typeof pattern === "string" ? pattern === name : pattern.test(name);
}

function says(pattern: unknown, value: unknown): boolean {
  return pattern instanceof RegExp
    ? value !== undefined && pattern.test(JSON.stringify(value))
    : isDeepStrictEqual(pattern, value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
