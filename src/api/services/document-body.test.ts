import { limits } from "../../limits.js";
import { bodyText, structOf } from "./document-body.js";

const json = (text: string) => ({ case: "json" as const, value: new TextEncoder().encode(text) });

test("returns JSON unchanged", async () => {
  expect(await bodyText(json('{"n":9007199254740993, "d":1.10}'))).toBe(
    '{"n":9007199254740993, "d":1.10}',
  );
});

test("rejects bytes that are not UTF-8", async () => {
  await expect(bodyText({ case: "json", value: new Uint8Array([0x7b, 0xff]) })).rejects.toThrow(
    expect.objectContaining({ reason: "JSON_INVALID" }),
  );
});

test.each([[{ n: 9007199254740991, x: 0.1 }], [{ n: -9007199254740991, a: [{ b: null }] }]])(
  "a Struct of exact numbers passes",
  async (fields) => {
    expect(JSON.parse(await bodyText({ case: "fields", value: fields }))).toEqual(fields);
  },
);

test.each([
  [{ n: 9007199254740992 }, "n"],
  [{ a: [1, { b: -1e16 }] }, "a.1.b"],
])("rejects a Struct with possibly rounded numbers", async (fields, field) => {
  await expect(bodyText({ case: "fields", value: fields })).rejects.toThrow(
    expect.objectContaining({ reason: "REQUEST_INVALID", metadata: { field } }),
  );
});

test("converts stored JSON to a Struct only without loss", () => {
  expect(structOf('{"a":[1,2.5]}')).toEqual({ fields: { a: [1, 2.5] } });
  expect(structOf('{"a":[9007199254740993]}')).toEqual({ roundedField: "a.0" });
  expect(structOf('{"a":1e400}')).toEqual({ roundedField: "a" });
  expect(structOf(JSON.stringify({ a: "x".repeat(limits.structBytes) }))).toEqual({
    tooLarge: true,
  });
});
