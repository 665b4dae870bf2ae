import { printable, printableJson, printableLines } from "./printable.js";
import { list, table } from "./table.js";

const hostile = "a\u001b]0;PWNED\u0007\u009b2J\nb\u202ec";

test("escapes characters that a terminal interprets", () => {
  expect(printable(hostile)).toBe("a\\u001b]0;PWNED\\u0007\\u009b2J\\u000ab\\u202ec");
  expect(printableLines(hostile)).toBe("a\\u001b]0;PWNED\\u0007\\u009b2J\nb\\u202ec");
  expect(printable("ключ 🙂 é")).toBe("ключ 🙂 é");
});

test("escaped JSON parses to the same value", () => {
  const json = JSON.stringify({ [hostile]: hostile });
  expect(printableJson(json)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  expect(JSON.parse(printableJson(json))).toEqual({ [hostile]: hostile });
});

test("keeps a value on one line of a table and of a list", () => {
  expect(table([{ head: "A" }], [[hostile]]).split("\n")).toHaveLength(2);
  expect(list([["name", hostile]])).toBe(`name  ${printable(hostile)}`);
});
