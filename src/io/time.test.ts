import { formatTime } from "./time.js";

test.each([
  [0, "1970-01-01T00:00:00.000000Z"],
  [1_795_884_288_826_007, "2026-11-28T16:44:48.826007Z"],
  [1_795_884_288_000_000n, "2026-11-28T16:44:48.000000Z"],
  [-1n, "-1 microseconds since 1970"],
  [2n ** 63n - 1n, "9223372036854775807 microseconds since 1970"],
])("formats %s exactly", (micros, text) => {
  expect(formatTime(micros)).toBe(text);
});
