import { limits } from "../limits.js";
import {
  checkJsonBounds,
  checkJsonBoundsYielding,
  documentBounds,
  requestBounds,
} from "./json-bounds.js";
import { parseMembers } from "./members.js";

const members = (count: number) =>
  `{${Array.from({ length: count }, (_, i) => `"k${i}":1`).join(",")}}`;
const small = { depth: 3, members: 20_000, items: 30_000 };
const pad = " ".repeat(limits.uncheckedJsonChars);

test("accepts a text within the limits, regardless of its strings", () => {
  for (const text of [
    members(20_000),
    `[[[${pad}]]]`,
    JSON.stringify({ a: '[{,:\\"'.repeat(40_000) }),
    `"${"\\\\".repeat(20_000)}"`,
  ]) {
    expect(() => checkJsonBounds(text, small)).not.toThrow();
  }
});

test.each([
  ["depth", `[[[[${pad}]]]]`, /nesting limit of 3 levels/],
  ["members", members(20_001), /limit of 20000 members/],
  ["items", `[${"1,".repeat(30_001)}1]`, /limit of 30000 values/],
  ["nesting in a text without end", `${pad}${"[".repeat(100_000)}`, /nesting limit/],
])("rejects too many or too deep %s", async (_, text, message) => {
  expect(() => checkJsonBounds(text, small)).toThrow(message);
  await expect(checkJsonBoundsYielding(text, small)).rejects.toThrow(message);
});

test("ends the scan at an unterminated string", () => {
  expect(() => checkJsonBounds(`${pad}"abc\\"`, small)).not.toThrow();
});

test("yields to the event loop during a long scan", async () => {
  let ticks = 0;
  const timer = setInterval(() => (ticks += 1), 0);
  await checkJsonBoundsYielding(`[${" ".repeat(4 * limits.scanSliceChars)}]`, requestBounds);
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(0);
});

test("rejects 24 MB of open brackets before parsing", () => {
  expect(() => parseMembers("[".repeat(24e6))).toThrow(
    expect.objectContaining({
      reason: "JSON_INVALID",
      message: expect.stringContaining("nesting limit") as string,
    }),
  );
  expect(() => parseMembers(members(documentBounds.members + 1))).toThrow(/exceeds the limit/);
});
