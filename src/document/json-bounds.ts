import { setImmediate as nextTurn } from "node:timers/promises";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";

/** What a JSON text may hold; it is counted before it is parsed, since a parser makes objects of all of it first. */
export interface JsonBounds {
  depth: number;
  /** Names in objects. */
  members: number;
  /** Values that a comma separates, in objects and arrays. */
  items: number;
}

/** A document's. */
export const documentBounds: JsonBounds = {
  depth: limits.jsonDepth,
  members: limits.jsonMembers,
  items: limits.jsonItems,
};
/** Those of a request that is read on the event loop. */
export const requestBounds: JsonBounds = {
  depth: limits.jsonDepth,
  members: limits.requestJsonMembers,
  items: limits.requestJsonMembers,
};

/** Throws JSON_INVALID for a text beyond the bounds. Whether it is JSON is for the parser to say. */
export function checkJsonBounds(text: string, bounds: JsonBounds): void {
  if (isShort(text, bounds)) return;
  new JsonScan(text, bounds).advance(Infinity);
}

/** A long string that is the value of a member of the outermost object: its name, and where it stands without its quotes. */
export interface LongString {
  name: string;
  start: number;
  end: number;
}

/** The same for a long text on the event loop, which has turns in between. Resolves to its strings of limits.detachedChars and more. */
export async function checkJsonBoundsInTurns(
  text: string,
  bounds: JsonBounds,
): Promise<LongString[]> {
  if (isShort(text, bounds)) return [];
  const scan = new JsonScan(text, bounds);
  while (!scan.advance(limits.scanTurnChars)) await nextTurn();
  return scan.longStrings;
}

/** So short that no bound can be passed by more than a parser takes in its stride. */
function isShort({ length }: string, { members }: JsonBounds): boolean {
  return length <= members && length <= limits.unscannedChars;
}

const quote = 0x22;
const backslash = 0x5c;

class JsonScan {
  private at = 0;
  private depth = 0;
  private members = 0;
  private items = 0;
  /** The last string, which is a name where a colon follows. */
  private last: [start: number, end: number] = [0, 0];
  private name = "";
  readonly longStrings: LongString[] = [];

  constructor(
    private readonly text: string,
    private readonly bounds: JsonBounds,
  ) {}

  /** Goes on over about so many characters; true at the end. */
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
              `The JSON body is nested deeper than ${this.bounds.depth} levels.`,
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
        if (this.depth === 1 && end - start >= limits.detachedChars)
          this.longStrings.push({ name: this.name, start, end });
        this.at = end + 1;
        return;
      }
    }
    this.at = text.length;
  }
}

function tooMany(what: string, most: number): HostError {
  return new HostError(
    "JSON_INVALID",
    `The JSON body holds more than ${most} ${what}. Split it into several documents.`,
  );
}
