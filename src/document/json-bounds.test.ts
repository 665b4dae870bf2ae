import { limits } from "../limits.js";
import {
  checkJsonBounds,
  checkJsonBoundsInTurns,
  documentBounds,
  requestBounds,
} from "./json-bounds.js";
import { parseMembers } from "./members.js";

const members = (count: number) =>
  `{${Array.from({ length: count }, (_, i) => `"k${i}":1`).join(",")}}`;
const small = { depth: 3, members: 20_000, items: 30_000 };
const pad = " ".repeat(limits.unscannedChars);

test("a text within the bounds passes, whatever stands in its strings", () => {
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
  ["depth", `[[[[${pad}]]]]`, /deeper than 3 levels/],
  ["members", members(20_001), /more than 20000 members/],
  ["items", `[${"1,".repeat(30_001)}1]`, /more than 30000 values/],
  ["a text that never ends", `${pad}${"[".repeat(100_000)}`, /deeper/],
])("refuses too much %s", async (_, text, message) => {
  expect(() => checkJsonBounds(text, small)).toThrow(message);
  await expect(checkJsonBoundsInTurns(text, small)).rejects.toThrow(message);
});

test("an unfinished string ends the scan", () => {
  expect(() => checkJsonBounds(`${pad}"abc\\"`, small)).not.toThrow();
});

test("a long scan gives the event loop its turns", async () => {
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 0);
  await checkJsonBoundsInTurns(`[${" ".repeat(4 * limits.scanTurnChars)}]`, requestBounds);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(0);
});

test("24 MB of open brackets are refused before they are parsed", () => {
  expect(() => parseMembers("[".repeat(24e6))).toThrow(
    expect.objectContaining({
      reason: "JSON_INVALID",
      message: expect.stringContaining("deeper") as string,
    }),
  );
  expect(() => parseMembers(members(documentBounds.members + 1))).toThrow(/more than/);
});
