import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { Filter, FilterValue, OrderBy } from "./filter.js";
import { tokenize, type Token } from "./odata-tokens.js";

/**
 * Reads OData's $filter as Xenon takes it: comparisons with eq ne lt le gt ge, joined by and, or, not and
 * parentheses; `name eq 'a*'` is a wildcard, `\*` a star; `tags/item any 'a;b'` and `all` look into arrays. Nested fields are
 * written `keyValues.k` or `keyValues/k`. Throws FILTER_INVALID with the position of the first thing not understood.
 */
export function parseFilter(text: string): Filter {
  const reader = new Reader(text, "$filter");
  const filter = parseOr(reader);
  reader.expectEnd();
  return filter;
}

/** Reads $orderby: fields with asc or desc behind them, joined by commas. Throws FILTER_INVALID. */
export function parseOrderBy(text: string): OrderBy[] {
  const reader = new Reader(text, "$orderby");
  const order: OrderBy[] = [];
  do {
    const field = fieldPath(reader, reader.take("word", "a field"));
    const descending = reader.word("desc");
    if (!descending) reader.word("asc");
    order.push({ field, descending });
    if (order.length > 8) throw reader.problem("orders by more than 8 fields");
  } while (reader.mark(","));
  reader.expectEnd();
  return order;
}

/** The tokens of one text and how far they were read. */
class Reader {
  private readonly tokens: Token[];
  private at = 0;
  private terms = 0;
  private depth = 0;

  constructor(
    private readonly text: string,
    private readonly option: string,
  ) {
    if (Buffer.byteLength(text) > limits.filterBytes) {
      throw new HostError(
        "FILTER_INVALID",
        `${option} is longer than ${limits.filterBytes} bytes.`,
      );
    }
    this.tokens = tokenize(text, option);
  }

  get next(): Token | undefined {
    return this.tokens[this.at];
  }

  take(kind: Token["kind"], wanted: string): Token {
    const token = this.next;
    if (token?.kind !== kind) throw this.problem(`${wanted} is expected`);
    this.at += 1;
    return token;
  }

  word(word: string): boolean {
    const token = this.next;
    if (token?.kind !== "word" || token.text.toLowerCase() !== word) return false;
    this.at += 1;
    return true;
  }

  mark(mark: string): boolean {
    const token = this.next;
    if (token?.kind !== "mark" || token.text !== mark) return false;
    this.at += 1;
    return true;
  }

  skip(): void {
    this.at += 1;
  }

  countTerm(): void {
    this.terms += 1;
    if (this.terms > limits.filterTerms)
      throw this.problem(`more than ${limits.filterTerms} terms`);
  }

  nested(parse: () => Filter): Filter {
    this.depth += 1;
    if (this.depth > limits.filterTerms)
      throw this.problem(`nested deeper than ${limits.filterTerms}`);
    const filter = parse();
    this.depth -= 1;
    return filter;
  }

  expectEnd(): void {
    if (this.next !== undefined) throw this.problem("the end, and or or is expected");
  }

  problem(what: string, token: Token | undefined = this.next): HostError {
    const at = token?.at ?? this.text.length;
    const found = token === undefined ? "the end" : JSON.stringify(this.text.slice(at, at + 20));
    return new HostError(
      "FILTER_INVALID",
      `${this.option} at position ${at + 1}: ${what}, found ${found}.`,
      {
        metadata: { position: String(at + 1) },
      },
    );
  }
}

function parseOr(reader: Reader): Filter {
  const terms = [parseAnd(reader)];
  while (reader.word("or")) terms.push(parseAnd(reader));
  return terms.length === 1 && terms[0] !== undefined ? terms[0] : { op: "or", terms };
}

function parseAnd(reader: Reader): Filter {
  const terms = [parseTerm(reader)];
  while (reader.word("and")) terms.push(parseTerm(reader));
  return terms.length === 1 && terms[0] !== undefined ? terms[0] : { op: "and", terms };
}

function parseTerm(reader: Reader): Filter {
  if (reader.mark("(")) {
    const filter = reader.nested(() => parseOr(reader));
    if (!reader.mark(")")) throw reader.problem(") is expected");
    return filter;
  }
  const first = reader.take("word", "a field, not or (");
  // A field may be called "not" too: then an operator follows.
  if (first.text.toLowerCase() === "not" && !isOperator(reader.next)) {
    return { op: "not", term: reader.nested(() => parseTerm(reader)) };
  }
  reader.countTerm();
  const field = fieldPath(reader, first);
  const operator = reader.next;
  if (operator === undefined || !isOperator(operator)) {
    throw reader.problem("one of eq ne lt le gt ge any all is expected");
  }
  reader.skip();
  return comparison(reader, field, operator.text.toLowerCase(), operator);
}

const operators = new Set(["eq", "ne", "lt", "le", "gt", "ge", "any", "all"]);

function isOperator(token: Token | undefined): boolean {
  return token?.kind === "word" && operators.has(token.text.toLowerCase());
}

function comparison(reader: Reader, field: string, operator: string, at: Token): Filter {
  const value = parseValue(reader);
  const items = itemsOf(field);
  switch (operator) {
    case "any":
    case "all": {
      const values =
        typeof value === "string"
          ? value
              .split(";")
              .map((one) => one.trim())
              .filter((one) => one !== "")
          : [value];
      if (values.length > limits.filterTerms)
        throw reader.problem(`more than ${limits.filterTerms} values`, at);
      const array = items ?? field;
      if (operator === "any" && !values.some(isPattern)) return { op: "any", field: array, values };
      const holds = (one: FilterValue): Filter =>
        isPattern(one)
          ? { op: "like", field: array, pattern: one }
          : { op: "any", field: array, values: [one] };
      return { op: operator === "any" ? "or" : "and", terms: values.map(holds) };
    }
    case "eq":
      return equality(field, items, value);
    case "ne":
      if (items === undefined && !isPattern(value) && !isBooleanText(value))
        return { op: "ne", field, value };
      return { op: "not", term: equality(field, items, value) };
    default:
      if (value === null || typeof value === "boolean")
        throw reader.problem("only eq and ne compare with it", at);
      return { op: operator as "lt" | "le" | "gt" | "ge", field, value };
  }
}

/** `tags/item` are the items of the array `tags`; a field that is really called item is meant as well. */
function equality(field: string, items: string | undefined, value: FilterValue): Filter {
  const one = (name: string): Filter => {
    if (isPattern(value)) return { op: "like", field: name, pattern: value };
    const equal: Filter = { op: "eq", field: name, value };
    return isBooleanText(value)
      ? { op: "or", terms: [equal, { op: "eq", field: name, value: value === "true" }] }
      : equal;
  };
  return items === undefined ? one(field) : { op: "or", terms: [one(items), one(field)] };
}

/** Xenon knows a boolean by its text, so that `flag eq 'true'` finds it. */
function isBooleanText(value: FilterValue): value is "true" | "false" {
  return value === "true" || value === "false";
}

function isPattern(value: FilterValue): value is string {
  return typeof value === "string" && value.includes("*");
}

function itemsOf(field: string): string | undefined {
  return field.endsWith(".item") ? field.slice(0, -".item".length) : undefined;
}

function parseValue(reader: Reader): FilterValue {
  const token = reader.next;
  if (token?.kind === "string") {
    reader.skip();
    return token.text;
  }
  if (token?.kind === "number") {
    reader.skip();
    return /^[+-]?\d+$/.test(token.text) ? BigInt(token.text.replace("+", "")) : Number(token.text);
  }
  if (reader.word("true")) return true;
  if (reader.word("false")) return false;
  if (reader.word("null")) return null;
  // Xenon takes a word without quotes for a string.
  if (token?.kind === "word" && !/^(?:and|or)$/i.test(token.text)) {
    reader.skip();
    return token.text;
  }
  throw reader.problem("a 'string', a number, true, false or null is expected");
}

function fieldPath(reader: Reader, token: Token): string {
  const path = token.text.replaceAll("/", ".");
  if (path.split(".").includes("")) throw reader.problem("a field name is empty", token);
  if (path === "ALL_FIELDS")
    throw reader.problem("ALL_FIELDS is not supported: name the fields and join them by or", token);
  return path;
}
