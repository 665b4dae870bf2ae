import fc from "fast-check";
import { exactInteger } from "./integers.js";
import { joinMembers, parseMembers, scanMembers } from "./members.js";

describe("members of a JSON object", () => {
  test("keeps every value as the text it came in", () => {
    const members = parseMembers(
      ' { "big" : 9007199254740993 , "money":1.10,"e":1E5, "deep":{"a":[1, "}]\\""]} ,"s":"a\\\\\\"b"}\n',
    );
    expect([...members]).toEqual([
      ["big", "9007199254740993"],
      ["money", "1.10"],
      ["e", "1E5"],
      ["deep", '{"a":[1, "}]\\""]}'],
      ["s", '"a\\\\\\"b"'],
    ]);
    expect(joinMembers(members)).toBe(
      '{"big":9007199254740993,"money":1.10,"e":1E5,"deep":{"a":[1, "}]\\""]},"s":"a\\\\\\"b"}',
    );
  });

  test("takes the last of a key that comes twice, also when it is written another way", () => {
    expect(joinMembers(parseMembers('{"a":1,"b":2,"\\u0061":3}'))).toBe('{"a":3,"b":2}');
  });

  test("keeps the order of keys that look like numbers, and the key __proto__", () => {
    expect(joinMembers(parseMembers('{"b":1,"2":2,"1":3,"__proto__":4}'))).toBe(
      '{"b":1,"2":2,"1":3,"__proto__":4}',
    );
  });

  test.each([
    "",
    "{",
    "{nope",
    "[1]",
    "null",
    "1",
    '"x"',
    '{"a":1,}',
    "{'a':1}",
    '{"a":01}',
    '{"a":1}{}',
    "\ufeff{}",
  ])("refuses %j", (text) => {
    expect(() => parseMembers(text)).toThrow(expect.objectContaining({ reason: "JSON_INVALID" }));
  });

  test("says where the text is broken without repeating it", () => {
    expect(() => parseMembers('{"password":"hunter2",nope}')).toThrow(
      /^Unparseable JSON body: .*position 22/,
    );
    expect(() => parseMembers('{"password":"hunter2",nope}')).not.toThrow(/hunter2/);
  });

  test("refuses half a surrogate pair, written out or escaped, and takes a whole one", () => {
    for (const text of [
      '{"a":"\ud800"}',
      '{"a":["\\ud800x"]}',
      '{"\\uDC00":1}',
      '{"a":{"b":"\\udc00\\ud800"}}',
    ]) {
      expect(() => parseMembers(text)).toThrow(/surrogate/);
    }
    expect(parseMembers('{"a":"\\ud83d\\ude00"}').get("a")).toBe('"\\ud83d\\ude00"');
    expect(parseMembers('{"a":"😀"}').get("a")).toBe('"😀"');
  });

  test("bounds the depth", () => {
    const nested = (levels: number) => `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
    expect(parseMembers(nested(200)).size).toBe(1);
    expect(() => parseMembers(nested(201))).toThrow(/deeper than 200/);
    expect(() => parseMembers(nested(1_000_000))).toThrow(/JSON/);
  });

  test("gives back any object as JSON.parse sees it", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ maxDepth: 4 })),
        fc.constantFrom(0, 1, "\t"),
        (object, space) => {
          const text = JSON.stringify(object, undefined, space);
          const joined = joinMembers(parseMembers(text));
          expect(JSON.parse(joined)).toEqual(JSON.parse(text));
          expect([...scanMembers(joined)]).toEqual([...parseMembers(text)]);
        },
      ),
    );
  });
});

test.each([
  ["9223372036854775807", 9223372036854775807n],
  ['"7"', 7n],
  ["7.0", 7n],
  ["1.5e1", 15n],
  ["1.795348315512E15", 1795348315512000n],
  ["-0", 0n],
  ["1.5", undefined],
  ["true", undefined],
  ['""', undefined],
  ["1e400", undefined],
  ['"0x10"', undefined],
])("%s stands for %p", (raw, value) => {
  expect(exactInteger(raw)).toBe(value);
});
