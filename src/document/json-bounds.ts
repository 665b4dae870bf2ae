import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";

/**
 * Limits of a JSON text. They are checked before parsing, because a parser creates objects for the
 * whole text.
 */
export interface JsonBounds {
  /** Maximum nesting. */
  depth: number;
  /** Maximum number of members in all objects. */
  members: number;
  /** Maximum number of comma-separated values in objects and arrays. */
  items: number;
}

/** Limits of a document. */
export const documentBounds: JsonBounds = {
  depth: limits.jsonDepth,
  members: limits.jsonMembers,
  items: limits.jsonItems,
};
/** Limits of a request that is parsed on the event loop. */
export const requestBounds: JsonBounds = {
  depth: limits.jsonDepth,
  members: limits.requestJsonMembers,
  items: limits.requestJsonMembers,
};

/** Throws JSON_INVALID for a text that exceeds the limits. Does not check the syntax. */
export function checkJsonBounds(text: string, bounds: JsonBounds): void {
  if (isShort(text, bounds)) return;
  new JsonScan(text, bounds).advance(Infinity);
}

/**
 * A long string value of the outermost object: the name of the member, and the range of the string
 * without quotes.
 */
export interface LongString {
  name: string;
  start: number;
  end: number;
}

/**
 * Like checkJsonBounds, but yields to the event loop. Resolves to the top-level strings of at least
 * limits.detachedStringChars.
 */
export async function checkJsonBoundsYielding(
  text: string,
  bounds: JsonBounds,
): Promise<LongString[]> {
  if (isShort(text, bounds)) return [];
  const scan = new JsonScan(text, bounds);
  while (!scan.advance(limits.scanSliceChars)) await yieldToEventLoop();
  return scan.longStrings;
}

/** Whether a text is too short to be checked: it cannot exceed a limit by a relevant amount. */
function isShort({ length }: string, { members }: JsonBounds): boolean {
  return length <= members && length <= limits.uncheckedJsonChars;
}

const quote = 0x22;
const backslash = 0x5c;

class JsonScan {
  private at = 0;
  private depth = 0;
  private members = 0;
  private items = 0;
  /** Range of the last string, which is a name if a colon follows. */
  private last: [start: number, end: number] = [0, 0];
  private name = "";
  readonly longStrings: LongString[] = [];

  constructor(
    private readonly text: string,
    private readonly bounds: JsonBounds,
  ) {}

  /** Scans about `chars` further characters. Returns true at the end. */
  advance(chars: number): boolean {
    const { text } = this;
    const end = Math.min(text.length, this.at + chars);
    while (this.at < end) {
      switch (text.charCodeAt(this.at)) {
        case quote:
          this.skipString();
          continue;
        case 0x2c:
          if ((this.items += 1) > this.bounds.items) throw tooMany("values", this.bounds.items);
          break;
        case 0x3a:
          if ((this.members += 1) > this.bounds.members)
            throw tooMany("members", this.bounds.members);
          if (this.depth === 1) this.name = text.slice(...this.last);
          break;
        case 0x5b:
        case 0x7b:
          if ((this.depth += 1) > this.bounds.depth)
            throw new HostError(
              "JSON_INVALID",
              `The JSON body exceeds the nesting limit of ${this.bounds.depth} levels.`,
            );
          break;
        case 0x5d:
        case 0x7d:
          this.depth -= 1;
          break;
      }
      this.at += 1;
    }
    return this.at >= text.length;
  }

  private skipString(): void {
    const { text } = this;
    for (let end = text.indexOf('"', this.at + 1); end >= 0; end = text.indexOf('"', end + 1)) {
      let before = end - 1;
      while (text.charCodeAt(before) === backslash) before -= 1;
      if ((end - before) % 2 === 1) {
        const start = this.at + 1;
        this.last = [start, end];
        if (this.depth === 1 && end - start >= limits.detachedStringChars)
          this.longStrings.push({ name: this.name, start, end });
        this.at = end + 1;
        return;
      }
    }
    this.at = text.length;
  }
}

function tooMany(what: string, limit: number): HostError {
  return new HostError(
    "JSON_INVALID",
    `The JSON body exceeds the limit of ${limit} ${what}. Split it into several documents.`,
  );
}
