import { printable, printableJson, printableLines } from "./printable.js";
import { list, table } from "./table.js";

const evil = "a\u001b]0;PWNED\u0007\u009b2J\nb\u202ec";

test("escapes what a terminal would obey", () => {
  expect(printable(evil)).toBe("a\\u001b]0;PWNED\\u0007\\u009b2J\\u000ab\\u202ec");
  expect(printableLines(evil)).toBe("a\\u001b]0;PWNED\\u0007\\u009b2J\nb\\u202ec");
  expect(printable("ключ 🙂 é")).toBe("ключ 🙂 é");
});

test("JSON means the same with its escapes", () => {
  const json = JSON.stringify({ [evil]: evil });
  expect(printableJson(json)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  expect(JSON.parse(printableJson(json))).toEqual({ [evil]: evil });
});

test("a value stays on its line of a table and of a list", () => {
  expect(table([{ head: "A" }], [[evil]]).split("\n")).toHaveLength(2);
  expect(list([["name", evil]])).toBe(`name  ${printable(evil)}`);
});
