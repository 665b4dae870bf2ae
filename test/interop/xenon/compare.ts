import { isDeepStrictEqual } from "node:util";
import type { PlainAnswer } from "./send-requests.js";

/** A difference that is meant. */
export interface AllowedDifference {
  /** The request's name, or what the names of several have in common. */
  request: string | RegExp;
  /** status, header.NAME, or body with the path of a field, for example body.message; a pattern stands for several. */
  field: string | RegExp;
  /** What each says there: a value, a pattern of its JSON, or undefined where it says nothing. */
  xenon: unknown;
  ours: unknown;
  why: string;
  /** Seen in some runs only, since it depends on the moment. */
  sometimes?: true;
}

export interface Difference {
  request: string;
  field: string;
  xenon: unknown;
  ours: unknown;
}

/** Where two answers are not the same, field by field. */
export function differencesOf(
  request: string,
  xenon: PlainAnswer,
  ours: PlainAnswer,
): Difference[] {
  const found: Difference[] = [];
  const compare = (field: string, a: unknown, b: unknown): void => {
    if (isDeepStrictEqual(a, b)) return;
    if (Array.isArray(a) && Array.isArray(b) && a.length === b.length)
      a.forEach((item, i) => compare(`${field}[${i}]`, item, b[i]));
    else if (isObject(a) && isObject(b)) {
      for (const name of new Set([...Object.keys(a), ...Object.keys(b)]))
        compare(`${field}.${name}`, a[name], b[name]);
    } else found.push({ request, field, xenon: a, ours: b });
  };
  compare("status", xenon.status, ours.status);
  compare("header", xenon.headers, ours.headers);
  // Where only one of them refuses, there is its message to compare with nothing.
  if (xenon.status < 400 === ours.status < 400) compare("body", xenon.body, ours.body);
  else compare("body.message", messageOf(xenon), messageOf(ours));
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
    says(allowed.ours, difference.ours)
  );
}

/** A row of the table as a line. */
export function rowOf({ request, field, xenon, ours, why }: AllowedDifference): string {
  const shown = (value: unknown) =>
    value instanceof RegExp
      ? String(value)
      : value === undefined
        ? "nothing"
        : JSON.stringify(value);
  return `| ${String(request)} | ${String(field)} | ${shown(xenon)} | ${shown(ours)} | ${why} |`;
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
