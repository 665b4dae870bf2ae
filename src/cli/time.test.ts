import fc from "fast-check";
import { formatTime, parseAge, parseTime } from "./time.js";

const now = 1_795_532_645_123_456n;
const at = (text: string) => parseTime(text, now);

test.each([
  ["1795361018605007", 1_795_361_018_605_007n],
  ["0", 0n],
  ["now", now],
  ["2026-11-22T15:23:38.605007Z", 1_795_361_018_605_007n],
  ["2026-11-22T15:23:38Z", 1_795_361_018_000_000n],
  ["2026-11-22t16:23:38.6+01:00", 1_795_361_018_600_000n],
  ["2026-11-22 10:53:38.605-04:30", 1_795_361_018_605_000n],
  ["1970-01-01T00:00:00.000001Z", 1n],
  ["15m ago", now - 900_000_000n],
  ["2h30m ago", now - 9_000_000_000n],
  ["2h 30m ago", now - 9_000_000_000n],
  ["3d ago", now - 259_200_000_000n],
  ["250ms ago", now - 250_000n],
])("%s is a time", (text, micros) => expect(at(text)).toBe(micros));

test.each([
  ["", /is no time/],
  ["yesterday", /is no time/],
  ["15m", /is no time/],
  ["15x ago", /is no time/],
  ["1795361018", /has 10 digits/],
  ["1795361018605", /has 13 digits/],
  ["17953610186050071", /is no time/],
  ["9999999999999999", /too far ahead/],
  ["2026-11-22", /takes a date, a time and a zone/],
  ["2026-11-22T15:23:38", /takes a date, a time and a zone/],
  ["2026-02-29T00:00:00Z", /no time of the calendar/],
  ["2026-11-22T24:00:00Z", /no time of the calendar/],
  ["2026-11-22T15:23:60Z", /no time of the calendar/],
  ["2026-11-22T15:23:38.1234567Z", /finer than a microsecond/],
  ["2026-11-22T15:23:38+25:00", /no zone/],
  ["1969-12-31T23:59:59Z", /before 1970/],
  ["9999999d ago", /before 1970/],
])("%s is none", (text, problem) =>
  expect(() => at(text)).toThrow(
    expect.objectContaining({ reason: "REQUEST_INVALID", message: expect.stringMatching(problem) }),
  ),
);

test("an age is a span without a word after it, or any time", () => {
  expect(parseAge("30d", now)).toBe(now - 2_592_000_000_000n);
  expect(parseAge("30d ago", now)).toBe(now - 2_592_000_000_000n);
  expect(parseAge("1795361018605007", now)).toBe(1_795_361_018_605_007n);
});

test("what is shown is read back to the microsecond, in any zone", () => {
  // Up to the year 9999; beyond it RFC 3339 has no words.
  const micros = fc.bigInt({ min: 0n, max: 9_007_199_254_740_991n });
  fc.assert(
    fc.property(micros, (time) => {
      expect(at(formatTime(time))).toBe(time);
    }),
  );
  fc.assert(
    fc.property(
      fc.bigInt({ min: 86_400_000_000n, max: 9_000_000_000_000_000n }),
      fc.integer({ min: -1439, max: 1439 }),
      (time, minutes) => {
        const shifted = formatTime(time + BigInt(minutes) * 60_000_000n).slice(0, -1);
        const two = (value: number) => String(value).padStart(2, "0");
        const zone = `${minutes < 0 ? "-" : "+"}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
        expect(at(`${shifted}${zone}`)).toBe(time);
      },
    ),
  );
});
