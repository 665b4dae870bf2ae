import { HostError } from "../errors.js";

/**
 * A token of an OData expression. A word is a field, an operator or a literal such as true,
 * depending on its position.
 */
export interface Token {
  kind: "word" | "string" | "number" | "symbol";
  /** Text of the token; strings are unquoted and unescaped. */
  text: string;
  /** Offset in the text. */
  at: number;
}

const pattern =
  /\s+|(?<string>'(?:[^']|'')*')|(?<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w$]))|(?<word>[\p{L}_$@][\p{L}\p{N}_$@:./-]*)|(?<symbol>[(),])/uy;

/** Splits an expression into tokens. Throws FILTER_INVALID for an unexpected character. */
export function tokenize(text: string, option: string): Token[] {
  const tokens: Token[] = [];
  pattern.lastIndex = 0;
  for (let at = 0; at < text.length; at = pattern.lastIndex) {
    const groups = pattern.exec(text)?.groups;
    if (groups === undefined) {
      const problem = text[at] === "'" ? "unterminated string" : "unexpected character";
      throw new HostError(
        "FILTER_INVALID",
        `${option} at position ${at + 1}: ${problem}, found ${JSON.stringify(text.slice(at, at + 20))}.`,
        { metadata: { position: String(at + 1) } },
      );
    }
    const { string, number, word, symbol } = groups;
    if (string !== undefined)
      tokens.push({ kind: "string", text: string.slice(1, -1).replaceAll("''", "'"), at });
    else if (number !== undefined) tokens.push({ kind: "number", text: number, at });
    else if (word !== undefined) tokens.push({ kind: "word", text: word, at });
    else if (symbol !== undefined) tokens.push({ kind: "symbol", text: symbol, at });
  }
  return tokens;
}
