import fc from "fast-check";
import { exactInteger } from "./integers.js";
import { joinMembers, parseMembers, scanMembers } from "./members.js";

describe("members of a JSON object", () => {
  test("keeps the text of every value", () => {
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

  test("uses the last value of a repeated key, also if the key is escaped differently", () => {
    expect(joinMembers(parseMembers('{"a":1,"b":2,"\\u0061":3}'))).toBe('{"a":3,"b":2}');
  });

  test("preserves the order of numeric keys, and the key __proto__", () => {
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
  ])("rejects %j", (text) => {
    expect(() => parseMembers(text)).toThrow(expect.objectContaining({ reason: "JSON_INVALID" }));
  });

  test("reports the position of a syntax error without quoting the text", () => {
    expect(() => parseMembers('{"password":"hunter2",nope}')).toThrow(
      /^Unparseable JSON body: .*position 22/,
    );
    expect(() => parseMembers('{"password":"hunter2",nope}')).not.toThrow(/hunter2/);
  });

  test("rejects a lone surrogate, literal or escaped, and accepts a pair", () => {
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

  test("limits the nesting depth", () => {
    const nested = (levels: number) => `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
    expect(parseMembers(nested(200)).size).toBe(1);
    expect(() => parseMembers(nested(201))).toThrow(/nesting limit of 200/);
    expect(() => parseMembers(nested(1_000_000))).toThrow(/JSON/);
  });

  test("round-trips any object as parsed by JSON.parse", () => {
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
])("parses %s as %p", (raw, value) => {
  expect(exactInteger(raw)).toBe(value);
});
