import fc from "fast-check";
import { limits } from "../limits.js";
import { durationText, parseDuration } from "./duration.js";

const hour = 3_600_000;

test.each([
  ["0s", 0],
  ["500ms", 500],
  ["90s", 90_000],
  ["15m", 900_000],
  ["36h", 36 * hour],
  ["35d", 35 * 24 * hour],
  ["8w", 56 * 24 * hour],
  ["1y", 365 * 24 * hour],
  ["1d12h", 36 * hour],
  ["1y2w3d4h5m6s7ms", (365 + 14 + 3) * 24 * hour + 4 * hour + 306_007],
  ["100y", limits.durationMaxMs],
])("%s is %d ms", (text, ms) => {
  expect(parseDuration(text, "window")).toBe(ms);
});

test.each([
  "",
  "5",
  "d",
  "-1d",
  "1.5h",
  "1 d",
  "1D",
  "1d2d",
  "12h1d",
  "1month",
  "101y",
  "999999999999y",
  "1d".padStart(200, "0"),
])("rejects %j and names the field", (text) => {
  expect(() => parseDuration(text, "window")).toThrow(
    expect.objectContaining({
      reason: "REQUEST_INVALID",
      message: expect.stringMatching(/^window: .*for example 90s/),
      metadata: { field: "window" },
    }),
  );
});

test.each([
  [0, "0s"],
  [90_000, "1m30s"],
  [36 * hour, "1d12h"],
  [35 * 24 * hour, "35d"],
  [730 * 24 * hour, "2y"],
  [366 * 24 * hour, "366d"],
])("formats %d ms as %s", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

test("parses each duration that it formats", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: limits.durationMaxMs }), (ms) => {
      expect(parseDuration(durationText(ms), "x")).toBe(ms);
    }),
  );
});
