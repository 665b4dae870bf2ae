import { bodyText, structOf, withSystemFields } from "./document-body.js";

const json = (text: string) => ({ case: "json" as const, value: new TextEncoder().encode(text) });

test("JSON passes as it came", () => {
  expect(bodyText(json('{"n":9007199254740993, "d":1.10}'))).toBe('{"n":9007199254740993, "d":1.10}');
});

test("what is no UTF-8 is refused", () => {
  expect(() => bodyText({ case: "json", value: new Uint8Array([0x7b, 0xff]) })).toThrow(expect.objectContaining({ reason: "JSON_INVALID" }));
});

test.each([[{ n: 9007199254740991, x: 0.1 }], [{ n: -9007199254740991, a: [{ b: null }] }]])("a Struct of exact numbers passes", (fields) => {
  expect(JSON.parse(bodyText({ case: "fields", value: fields }))).toEqual(fields);
});

test.each([
  [{ n: 9007199254740992 }, "n"],
  [{ a: [1, { b: -1e16 }] }, "a.1.b"],
])("a Struct whose numbers may have been rounded is refused", (fields, field) => {
  expect(() => bodyText({ case: "fields", value: fields })).toThrow(expect.objectContaining({ reason: "REQUEST_INVALID", metadata: { field } }));
});

test("system fields join the body without touching its numbers", () => {
  const text = withSystemFields('{"n":9007199254740993}', { documentSelfLink: "a\"b", documentExpirationTimeMicros: 5 });
  expect(text).toBe('{"n":9007199254740993,"documentSelfLink":"a\\"b","documentExpirationTimeMicros":5}');
  expect(withSystemFields("{}", { documentSelfLink: "x" })).toBe('{"documentSelfLink":"x"}');
  expect(withSystemFields(" anything at all", {})).toBe(" anything at all");
});

test("a system field given twice is refused", () => {
  expect(() => withSystemFields('{"documentSelfLink":"a"}', { documentSelfLink: "b" })).toThrow(expect.objectContaining({ reason: "REQUEST_INVALID" }));
});

test("stored JSON becomes a Struct only where nothing is lost", () => {
  expect(structOf('{"a":[1,2.5]}')).toEqual({ fields: { a: [1, 2.5] } });
  expect(structOf('{"a":[9007199254740993]}')).toEqual({ roundedField: "a.0" });
  expect(structOf('{"a":1e400}')).toEqual({ roundedField: "a" });
});
