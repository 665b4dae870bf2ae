import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { Filter, FilterValue, OrderBy } from "./filter.js";
import { tokenize, type Token } from "./odata-tokens.js";

/**
 * Parses OData's $filter with Xenon's extensions: comparisons with eq ne lt le gt ge, combined with
 * and, or, not and parentheses; `name eq 'a*'` is a wildcard and `\*` a literal star; `tags/item
 * any 'a;b'` and `all` search arrays. Nested fields are written `keyValues.k` or `keyValues/k`.
 * Throws FILTER_INVALID with the position of the first error.
 */
export function parseFilter(text: string): Filter {
  const reader = new Reader(text, "$filter");
  const filter = parseOr(reader);
  reader.expectEnd();
  return filter;
}

/**
 * Parses $orderby: comma-separated fields, each optionally followed by asc or desc. Throws
 * FILTER_INVALID.
 */
export function parseOrderBy(text: string): OrderBy[] {
  const reader = new Reader(text, "$orderby");
  const order: OrderBy[] = [];
  do {
    const field = fieldPath(reader, reader.take("word", "a field"));
    const descending = reader.word("desc");
    if (!descending) reader.word("asc");
    order.push({ field, descending });
    if (order.length > 8) throw reader.problem("limit of 8 fields exceeded");
  } while (reader.symbol(","));
  reader.expectEnd();
  return order;
}

/** Reads the tokens of an expression. */
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
        `${option} exceeds the limit of ${limits.filterBytes} bytes.`,
      );
    }
    this.tokens = tokenize(text, option);
  }

  get next(): Token | undefined {
    return this.tokens[this.at];
  }

  take(kind: Token["kind"], expected: string): Token {
    const token = this.next;
    if (token?.kind !== kind) throw this.problem(`expected ${expected}`);
    this.at += 1;
    return token;
  }

  word(word: string): boolean {
    const token = this.next;
    if (token?.kind !== "word" || token.text.toLowerCase() !== word) return false;
    this.at += 1;
    return true;
  }

  symbol(text: string): boolean {
    const token = this.next;
    if (token?.kind !== "symbol" || token.text !== text) return false;
    this.at += 1;
    return true;
  }

  skip(): void {
    this.at += 1;
  }

  countTerm(): void {
    this.terms += 1;
    if (this.terms > limits.filterTerms)
      throw this.problem(`limit of ${limits.filterTerms} terms exceeded`);
  }

  nested(parse: () => Filter): Filter {
    this.depth += 1;
    if (this.depth > limits.filterTerms)
      throw this.problem(`nesting limit of ${limits.filterTerms} levels exceeded`);
    const filter = parse();
    this.depth -= 1;
    return filter;
  }

  expectEnd(): void {
    if (this.next !== undefined) throw this.problem("expected and, or, or the end");
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
  if (reader.symbol("(")) {
    const filter = reader.nested(() => parseOr(reader));
    if (!reader.symbol(")")) throw reader.problem("expected )");
    return filter;
  }
  const first = reader.take("word", "a field, not or (");
  // A field may be named "not", in which case an operator follows.
  if (first.text.toLowerCase() === "not" && !isOperator(reader.next)) {
    return { op: "not", term: reader.nested(() => parseTerm(reader)) };
  }
  reader.countTerm();
  const field = fieldPath(reader, first);
  const operator = reader.next;
  if (operator === undefined || !isOperator(operator)) {
    throw reader.problem("expected one of eq ne lt le gt ge any all");
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
        throw reader.problem(`limit of ${limits.filterTerms} values exceeded`, at);
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
        throw reader.problem("booleans and null can only be compared with eq and ne", at);
      return { op: operator as "lt" | "le" | "gt" | "ge", field, value };
  }
}

/**
 * `tags/item` refers to the items of the array `tags`, and also to an actual field named `item`.
 */
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

/** Xenon indexes booleans as text, so that `flag eq 'true'` matches them. */
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
  // Xenon treats an unquoted word as a string.
  if (token?.kind === "word" && !/^(?:and|or)$/i.test(token.text)) {
    reader.skip();
    return token.text;
  }
  throw reader.problem("expected a 'string', a number, true, false or null");
}

function fieldPath(reader: Reader, token: Token): string {
  const path = token.text.replaceAll("/", ".");
  if (path.split(".").includes("")) throw reader.problem("empty field name", token);
  if (path === "ALL_FIELDS")
    throw reader.problem(
      "ALL_FIELDS is not supported; list the fields and combine them with or",
      token,
    );
  return path;
}
