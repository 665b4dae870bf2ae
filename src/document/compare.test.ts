import { compareBodies } from "./compare.js";

const compare = (from: string, to: string) => [...compareBodies(from, to)];

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
