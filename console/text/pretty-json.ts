/** Indents JSON without changing its values: JSON.parse would round 9007199254740993. */
export function prettyJson(json: string): string {
  let text = "";
  let depth = 0;
  const lineBreak = () => `\n${"  ".repeat(depth)}`;
  // Strings, brackets with nothing in between, and what separates values.
  for (const [token] of json.matchAll(
    /"(?:[^"\\]|\\.)*"|\{\s*\}|\[\s*\]|[{}[\],:]|[^\s{}[\],:"]+/g,
  )) {
    if (token === "}" || token === "]") {
      depth -= 1;
      text += lineBreak();
    }
    text += token;
    if (token === "{" || token === "[") depth += 1;
    if (token === "{" || token === "[" || token === ",") text += lineBreak();
    if (token === ":") text += " ";
  }
  return text;
}
