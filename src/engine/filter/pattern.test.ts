import Database from "better-sqlite3";
import fc from "fast-check";
import { HostError } from "../../errors.js";
import { compilePattern } from "./pattern.js";
import { definePatterns } from "./patterns.js";

const check = () => undefined;
const matches = (pattern: string, text: string) => compilePattern(pattern)(text, check);

/** The expected result by an equivalent regular expression, which compares characters like SQLite's GLOB. */
function expected(pattern: string, text: string): boolean {
  const source = [...pattern.matchAll(/\\([^])|[^]/gu)].map(([whole, escaped]) => {
    if (escaped === undefined && whole === "*") return "[^]*";
    if (escaped === undefined && whole === "?") return "[^]";
    return (escaped ?? whole).replace(/[[\]{}()*+?.\\^$|/-]/g, "\\$&");
  });
  return new RegExp(`^${source.join("")}$`, "u").test(text);
}

test("matches what an equivalent regular expression matches", () => {
  const letters = fc.constantFrom("a", "b", "é", "😀", "*", "?", "\\", "[");
  fc.assert(
    fc.property(
      fc.array(letters, { maxLength: 8 }),
      fc.array(letters, { maxLength: 12 }),
      (pattern, text) => {
        expect({ pattern, text, matches: matches(pattern.join(""), text.join("")) }).toEqual({
          pattern,
          text,
          matches: expected(pattern.join(""), text.join("")),
        });
      },
    ),
    { numRuns: 3000 },
  );
});

test("finds long parts at any offset", () => {
  const part = `${"ab".repeat(150)}c`;
  for (const [pattern, text, found] of [
    [`*${part}*`, `${"ab".repeat(400)}c${"ab".repeat(10)}`, true],
    [`*${part}*`, `${"ab".repeat(400)}d`, false],
    [`x*${part}*${part}`, `x${part}${part}`, true],
    [`x*${part}*${part}`, `x${part}c`, false],
    [`${part}*`, part, true],
    [`${part}*${part}`, part, false],
  ] as const) {
    expect({
      patternLength: pattern.length,
      textLength: text.length,
      matches: matches(pattern, text),
    }).toEqual({
      patternLength: pattern.length,
      textLength: text.length,
      matches: found,
    });
  }
});

test.each([
  ["*" + "a".repeat(49_000) + "b*"],
  ["*b" + "a".repeat(49_000) + "*"],
  ["*" + "a".repeat(20_000) + "b" + "a".repeat(20_000) + "*"],
  [`*${"a*".repeat(20_000)}b`],
])("matches a literal in time linear in the text", (pattern) => {
  const begun = performance.now();
  expect(matches(pattern, "a".repeat(4e6))).toBe(false);
  // Time proportional to the product of both lengths would be minutes.
  expect(performance.now() - begun).toBeLessThan(20_000);
});

test("ends a statement at its deadline, also during a match", () => {
  const db = new Database(":memory:");
  const clock = definePatterns(db);
  const like = db.prepare("SELECT holdfast_like(?, ?)").pluck();
  clock.begin(60_000);
  expect(like.get("abc", "a*c")).toBe(1);
  expect(like.get("abc", "a*d")).toBe(0);
  expect(like.get(5, "*")).toBe(0);
  expect(like.get(null, "*")).toBe(0);
  clock.begin(50);
  const begun = performance.now();
  expect(() => like.get("a".repeat(4e6), `*${"?".repeat(20_000)}${"a".repeat(20_000)}b*`)).toThrow(
    expect.objectContaining({ reason: "QUERY_LIMIT" }) as HostError,
  );
  expect(performance.now() - begun).toBeLessThan(20_000);
  expect(() => db.prepare("SELECT holdfast_tick()").get()).toThrow(HostError);
  db.close();
});
