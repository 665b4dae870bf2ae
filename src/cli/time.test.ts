import fc from "fast-check";
import { formatTime } from "../io/time.js";
import { parseAge, parseTime, parseUntil } from "./time.js";

const now = 1_795_532_645_123_456n;
const parse = (text: string) => parseTime(text, now);

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
])("parses %s", (text, micros) => expect(parse(text)).toBe(micros));

test.each([
  ["", /Invalid time ""/],
  ["yesterday", /Invalid time "yesterday"\. Use RFC 3339/],
  ["15m", /Invalid time/],
  ["15x ago", /Invalid time/],
  ["1795361018", /16 digits, not 10/],
  ["1795361018605", /16 digits, not 13/],
  ["17953610186050071", /Invalid time/],
  ["9999999999999999", /too far in the future/],
  ["2026-11-22", /a date, a time and a time zone/],
  ["2026-11-22T15:23:38", /a date, a time and a time zone/],
  ["2026-02-29T00:00:00Z", /no such date or time of day/],
  ["2026-11-22T24:00:00Z", /no such date or time of day/],
  ["2026-11-22T15:23:60Z", /no such date or time of day/],
  ["2026-11-22T15:23:38.1234567Z", /finer than a microsecond/],
  ["2026-11-22T15:23:38+25:00", /time zone out of range/],
  ["1969-12-31T23:59:59Z", /before 1970/],
  ["9999999d ago", /before 1970/],
])("rejects %j", (text, problem) =>
  expect(() => parse(text)).toThrow(
    expect.objectContaining({ reason: "REQUEST_INVALID", message: expect.stringMatching(problem) }),
  ),
);

test("parseAge accepts a bare duration or any time", () => {
  expect(parseAge("30d", now)).toBe(now - 2_592_000_000_000n);
  expect(parseAge("30d ago", now)).toBe(now - 2_592_000_000_000n);
  expect(parseAge("1795361018605007", now)).toBe(1_795_361_018_605_007n);
});

test("parseTime reads formatted times back to the microsecond, in any time zone", () => {
  // RFC 3339 ends with the year 9999.
  const micros = fc.bigInt({ min: 0n, max: 9_007_199_254_740_991n });
  fc.assert(
    fc.property(micros, (time) => {
      expect(parse(formatTime(time))).toBe(time);
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
        expect(parse(`${shifted}${zone}`)).toBe(time);
      },
    ),
  );
});

test("a time to come is a duration from now, or a time", () => {
  expect(parseUntil("30d", now)).toBe(now + 2_592_000_000_000n);
  expect(parseUntil("2026-11-22T15:23:38Z", now)).toBe(1_795_361_018_000_000n);
  expect(() => parseUntil("99999999d", now)).toThrow(/"99999999d".*until the year 2255/);
  expect(() => parseUntil("soon", now)).toThrow(/"soon".*a duration from now \(30d, 12h\)/);
});
