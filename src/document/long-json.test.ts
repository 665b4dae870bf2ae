import { limits } from "../limits.js";
import { encodeJson } from "./long-json.js";

const long = (unit: string) =>
  unit.repeat(Math.ceil((2.5 * limits.decodeSliceBytes) / unit.length));

test.each([
  ["nothing long", { a: 1, b: ["x", null], c: "é" }],
  ["base64", { json: long("QUJD+/"), etag: '"1"' }],
  ["what is escaped", { a: long('"\\\n\u0000'), b: [long("é\u2028"), { c: long("x") }] }],
  ["pairs of surrogates at every offset", { a: `x${long("😀")}`, b: long("😀") }],
  ["half a pair", { a: `${long("x")}\ud83d` }],
  ["a string alone", long("s")],
])("equals JSON.stringify: %s", async (_what, json) => {
  expect(Buffer.concat(await encodeJson(json)).toString() === JSON.stringify(json)).toBe(true);
});

test("preserves a string that looks like a placeholder", async () => {
  const json = { a: "00000000-0000-0000-0000-000000000000", b: long("y") };
  expect(JSON.parse(Buffer.concat(await encodeJson(json)).toString())).toEqual(json);
});
