import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { checkJsonBounds, documentBounds } from "./json-bounds.js";

/**
 * The top-level members of a JSON object, each with the unchanged text of its value. Bodies are not
 * processed with JSON.parse and JSON.stringify, which would round 9007199254740993 and turn 1.10
 * into 1.1.
 */
export type Members = Map<string, string>;

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const comma = 0x2c;

/**
 * Parses a document from a client. The last value of a repeated key wins, as with JSON.parse.
 * Throws JSON_INVALID for text that is not a JSON object, exceeds limits.jsonDepth or the other
 * limits of documentBounds, or contains a lone surrogate, which UTF-8 cannot represent.
 */
export function parseMembers(text: string): Members {
  checkJsonBounds(text, documentBounds);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new HostError("JSON_INVALID", `Unparseable JSON body: ${parserMessage(cause)}`, {
      cause,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HostError(
      "JSON_INVALID",
      `Unparseable JSON body: expected an object, found ${nameOf(value)}.`,
    );
  }
  const members = scanMembers(text);
  // A lone surrogate requires an escape or a lone code unit in the text. Both are rare, so the
  // values are rarely visited.
  if (escapedSurrogate.test(text) || looseSurrogate.test(text)) rejectLoneSurrogates(value);
  return members;
}

const escapedSurrogate = /\\u[dD][89a-fA-F]/;
const looseSurrogate = /[\ud800-\udfff]/;
const loneSurrogate = /\p{Surrogate}/u;

/** Parses text known to be a valid JSON object, such as a stored body. */
export function scanMembers(text: string): Members {
  const members: Members = new Map();
  let at = skipSpace(text, text.indexOf("{") + 1);
  while (text.charCodeAt(at) !== closeBrace) {
    const keyEnd = stringEnd(text, at);
    const raw = text.slice(at + 1, keyEnd - 1);
    const name = raw.includes("\\") ? (JSON.parse(`"${raw}"`) as string) : raw;
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = valueEnd(text, start);
    members.set(name, text.slice(start, end));
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === comma) at = skipSpace(text, at + 1);
  }
  return members;
}

/** Returns the items of text known to be a valid JSON array, each with its unchanged text. */
export function scanItems(text: string): string[] {
  const items: string[] = [];
  let at = skipSpace(text, text.indexOf("[") + 1);
  while (text.charCodeAt(at) !== closeBracket) {
    const end = valueEnd(text, at);
    items.push(text.slice(at, end));
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === comma) at = skipSpace(text, at + 1);
  }
  return items;
}

/** Joins members to a compact JSON object, in the order of the map. */
export function joinMembers(members: Members): string {
  let text = "";
  for (const [name, value] of members) {
    text += text === "" ? "{" : ",";
    text += `${keyText(name)}:${value}`;
  }
  return text === "" ? "{}" : `${text}}`;
}

/** Removes white space between the tokens of valid JSON text. */
export function compactJson(text: string): string {
  if (!space.test(text) || text.charCodeAt(0) === quote) return text;
  let compact = "";
  let from = 0;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = stringEnd(text, at);
    } else if (code <= 0x20) {
      compact += text.slice(from, at);
      from = at = skipSpace(text, at);
    } else {
      at += 1;
    }
  }
  return compact + text.slice(from);
}

const space = /[\t\n\r ]/;

/** Whether JSON text spans several lines. Strings cannot contain unescaped line breaks. */
export function isMultiline(text: string): boolean {
  return text.includes("\n") || text.includes("\r");
}

const plainKey = /^[\w.$ /-]*$/;

function keyText(name: string): string {
  return plainKey.test(name) ? `"${name}"` : JSON.stringify(name);
}

/** Returns the index after the string that begins at `start`. */
function stringEnd(text: string, start: number): number {
  let end = start;
  for (;;) {
    end = text.indexOf('"', end + 1);
    let before = end - 1;
    while (text.charCodeAt(before) === backslash) before -= 1;
    if ((end - before) % 2 === 1) return end + 1;
  }
}

/** Returns the index after the value that begins at `start`. */
function valueEnd(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === quote) return stringEnd(text, start);
  let at = start;
  if (first !== openBrace && first !== openBracket) {
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === comma || code === closeBrace || code === closeBracket || code <= 0x20) return at;
      at += 1;
    }
  }
  // The enclosing object is the first level.
  let depth = 1;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = stringEnd(text, at);
      continue;
    }
    at += 1;
    if (code === openBrace || code === openBracket) {
      depth += 1;
      if (depth > limits.jsonDepth) {
        throw new HostError(
          "JSON_INVALID",
          `The JSON body exceeds the nesting limit of ${limits.jsonDepth} levels.`,
        );
      }
    } else if (code === closeBrace || code === closeBracket) {
      depth -= 1;
      if (depth === 1) return at;
    }
  }
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) <= 0x20) at += 1;
  return at;
}

function rejectLoneSurrogates(value: unknown): void {
  if (typeof value === "string") {
    if (loneSurrogate.test(value)) {
      throw new HostError(
        "JSON_INVALID",
        "The JSON body contains a lone surrogate, which is not a valid character.",
      );
    }
  } else if (Array.isArray(value)) {
    for (const item of value) rejectLoneSurrogates(item);
  } else if (typeof value === "object" && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      rejectLoneSurrogates(name);
      rejectLoneSurrogates(item);
    }
  }
}

function nameOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}

/**
 * Returns the position of a syntax error, without the excerpt of the body that some parser messages
 * contain.
 */
function parserMessage(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : "";
  const position = /at position \d+( \(line \d+ column \d+\))?/.exec(message);
  if (position !== null) return `invalid JSON ${position[0]}`;
  return /end of (JSON )?input/i.test(message) ? "unexpected end of input" : "invalid JSON";
}
