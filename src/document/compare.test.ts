import { compareBodies } from "./compare.js";

const compare = (from: string, to: string) => compareBodies(from, to).differences;

test("names fields that were added, removed and changed, in order, with their text as written", () => {
  expect(
    compare('{"b":1,"a":1.10,"same":{"x":[1]}}', '{"a":9007199254740993,"same":{"x":[1]},"c":"é"}'),
  ).toEqual([
    { path: "/a", from: "1.10", to: "9007199254740993" },
    { path: "/b", from: "1" },
    { path: "/c", to: '"é"' },
  ]);
});

test("compares objects field by field, and arrays and values of other types as a whole", () => {
  expect(
    compare('{"o":{"x":1,"y":{"z":2}},"l":[1,2],"t":{}}', '{"o":{"x":1,"y":{}},"l":[1,3],"t":[]}'),
  ).toEqual([
    { path: "/l", from: "[1,2]", to: "[1,3]" },
    { path: "/o/y/z", from: "2" },
    { path: "/t", from: "{}", to: "[]" },
  ]);
});

test("ignores white space between tokens, not in strings", () => {
  expect(compare('{"l":[1, 2],"s":"a b"}', '{"l":[1,2],"s":"a  b"}')).toEqual([
    { path: "/s", from: '"a b"', to: '"a  b"' },
  ]);
});

test("escapes names as JSON Pointer does, and treats an empty text as no fields", () => {
  expect(compare("", '{"a/b~c":1}')).toEqual([{ path: "/a~1b~0c", to: "1" }]);
  expect(compare('{"x":1}', "")).toEqual([{ path: "/x", from: "1" }]);
  expect(compare("", "")).toEqual([]);
});

test("cuts long values", () => {
  const [difference] = compare("{}", `{"a":"${"x".repeat(10_000)}"}`);
  expect(difference?.to).toHaveLength(4_096);
});

test("bounds the whole answer, whatever the names are, and cuts no character in half", () => {
  const many = (value: number) =>
    `{"${"k".repeat(100_000)}":{${Array.from({ length: 10_000 }, (_, i) => `"f${i}":${value}`).join(",")}}}`;
  const { differences, truncated } = compareBodies(many(1), many(2));
  expect(truncated).toBe(true);
  expect(JSON.stringify(differences).length).toBeLessThan(1_200_000);
  const emoji = `"${"x".repeat(4_094)}\u{1f600}"`;
  expect(compareBodies("{}", `{"a":${emoji}}`).differences[0]?.to).toMatch(/x$/);
});

test("descends some levels, and takes what is deeper as a whole", () => {
  const deep = (value: number) => `${'{"a":'.repeat(30)}${value}${"}".repeat(30)}`;
  const { differences } = compareBodies(deep(1), deep(2));
  expect(differences).toHaveLength(1);
  expect(differences[0]?.path).toBe("/a".repeat(8));
});
