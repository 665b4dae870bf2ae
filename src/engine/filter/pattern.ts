/** Returns whether a text matches. Calls `check` about every millisecond, which may throw to end the match. */
export type Pattern = (text: string, check: () => void) => boolean;

/** The part between two stars: code units, or `any` for a question mark, which matches one character. */
interface Segment {
  units: Int32Array;
  /** Present if the part contains no question mark. */
  literal: string | undefined;
  /** Length in characters. */
  characters: number;
}

const any = -1;
/** Steps between two checks of the clock, about a millisecond. */
const stepsPerCheck = 1 << 18;
/** Up to this length V8's String.indexOf runs in linear time. */
const indexOfChars = 200;

/**
 * Compiles a pattern in which `*` matches any characters, `?` matches one, and a backslash escapes the next. Matching
 * takes time proportional to the length of the text, multiplied by the length of parts that contain a question mark.
 */
export function compilePattern(pattern: string): Pattern {
  const segments = segmentsOf(pattern);
  const [first] = segments;
  const last = segments.at(-1);
  if (first === undefined || last === undefined) return () => false;
  if (segments.length === 1) return (text) => matchAt(first, text, 0) === text.length;
  const middle = segments.slice(1, -1).filter(({ characters }) => characters > 0);
  return (text, check) => {
    const end = startOfLast(last, text);
    let at = matchAt(first, text, 0);
    if (at < 0 || end < at || matchAt(last, text, end) !== text.length) return false;
    for (const segment of middle) {
      at = find(segment, text, at, end, check);
      if (at < 0) return false;
    }
    return true;
  };
}

function segmentsOf(pattern: string): Segment[] {
  const segments: Segment[] = [];
  let units: number[] = [];
  const close = () => {
    const literal = units.includes(any) ? undefined : textOf(units);
    let characters = 0;
    for (let i = 0; i < units.length; i++) if (!isLow(units[i] ?? 0)) characters += 1;
    segments.push({ units: Int32Array.from(units), literal, characters });
    units = [];
  };
  for (let i = 0; i < pattern.length; i++) {
    const unit = pattern.charAt(i);
    if (unit === "*") close();
    else if (unit === "?") units.push(any);
    else if (unit === "\\" && i + 1 < pattern.length) units.push(pattern.charCodeAt((i += 1)));
    else units.push(pattern.charCodeAt(i));
  }
  close();
  return segments;
}

function textOf(units: number[]): string {
  let text = "";
  for (let at = 0; at < units.length; at += 4096)
    text += String.fromCharCode(...units.slice(at, at + 4096));
  return text;
}

const isHigh = (unit: number) => unit >= 0xd800 && unit < 0xdc00;
const isLow = (unit: number) => unit >= 0xdc00 && unit < 0xe000;

/** Returns the index after the part if the text has it at `at`, else -1. */
function matchAt({ units }: Segment, text: string, at: number): number {
  let index = at;
  for (const unit of units) {
    if (index >= text.length) return -1;
    const found = text.charCodeAt(index);
    if (unit === any) index += isHigh(found) && isLow(text.charCodeAt(index + 1)) ? 2 : 1;
    else if (unit === found) index += 1;
    else return -1;
  }
  return index;
}

/** Returns where the last part must begin; -1 if the text is too short. */
function startOfLast({ characters }: Segment, text: string): number {
  let at = text.length;
  for (let left = characters; left > 0; left--) {
    at -= at > 1 && isLow(text.charCodeAt(at - 1)) && isHigh(text.charCodeAt(at - 2)) ? 2 : 1;
    if (at < 0) return -1;
  }
  return at;
}

/** Returns the index after the first occurrence of the part between `from` and `end`; -1 if there is no occurrence. */
function find(
  segment: Segment,
  text: string,
  from: number,
  end: number,
  check: () => void,
): number {
  const { literal, units } = segment;
  if (literal !== undefined) {
    check();
    const at =
      literal.length <= indexOfChars
        ? text.indexOf(literal, from)
        : findLong(units, text, from, end, check);
    return at < 0 || at + literal.length > end ? -1 : at + literal.length;
  }
  let steps = 0;
  for (let at = from; at < end; at++) {
    // A question mark matches a whole character, so a match never begins inside one.
    if (at > 0 && isLow(text.charCodeAt(at)) && isHigh(text.charCodeAt(at - 1))) continue;
    const after = matchAt(segment, text, at);
    if (after >= 0) return after <= end ? after : -1;
    if ((steps += units.length) < stepsPerCheck) continue;
    steps = 0;
    check();
  }
  return -1;
}

/** Knuth-Morris-Pratt search: reads every unit of the text at most twice, however repetitive the text is. */
function findLong(
  units: Int32Array,
  text: string,
  from: number,
  end: number,
  check: () => void,
): number {
  const borders = bordersOf(units);
  let matched = 0;
  for (let at = from; at < end; at++) {
    if (at % stepsPerCheck === 0) check();
    const unit = text.charCodeAt(at);
    while (matched > 0 && units[matched] !== unit) matched = borders[matched - 1] ?? 0;
    if (units[matched] === unit) matched += 1;
    if (matched === units.length) return at + 1 - matched;
  }
  return -1;
}

const borderTables = new WeakMap<Int32Array, Int32Array>();

/** Returns for each prefix the length of its longest proper prefix that is also its suffix. */
function bordersOf(units: Int32Array): Int32Array {
  const known = borderTables.get(units);
  if (known !== undefined) return known;
  const borders = new Int32Array(units.length);
  let matched = 0;
  for (let i = 1; i < units.length; i++) {
    while (matched > 0 && units[matched] !== units[i]) matched = borders[matched - 1] ?? 0;
    if (units[matched] === units[i]) matched += 1;
    borders[i] = matched;
  }
  borderTables.set(units, borders);
  return borders;
}
