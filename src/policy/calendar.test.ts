import { Calendar, checkTimeZone } from "./calendar.js";

const periods = (zone: string, time: string) => new Calendar(zone).periods(Date.parse(time));

test("periods follow the time zone", () => {
  const time = "2026-12-31T23:30:00Z";
  expect(periods("UTC", time)).toEqual({
    hour: "2026-12-31T23+00:00",
    day: "2026-12-31",
    week: "2026-W53",
    month: "2026-12",
    year: "2026",
  });
  expect(periods("Europe/Berlin", time)).toMatchObject({ hour: "2027-01-01T00+01:00" });
  expect(periods("America/New_York", time)).toMatchObject({ hour: "2026-12-31T18-05:00" });
  expect(periods("Asia/Kathmandu", time)).toMatchObject({ hour: "2027-01-01T05+05:45" });
});

test.each([
  ["2021-01-03", "2020-W53"],
  ["2021-01-04", "2021-W01"],
  ["2023-01-01", "2022-W52"],
  ["2024-12-29", "2024-W52"],
  ["2024-12-30", "2025-W01"],
  ["2026-12-31", "2026-W53"],
  ["2027-01-01", "2026-W53"],
  ["2024-02-29", "2024-W09"],
])("%s is in week %s", (day, week) => {
  expect(periods("UTC", `${day}T12:00:00Z`).week).toBe(week);
});

test("an hour that occurs twice is two hours, and its day has 25", () => {
  const calendar = new Calendar("Europe/Berlin");
  const start = Date.parse("2026-10-24T22:00:00Z");
  const hours = Array.from({ length: 25 }, (_, i) => calendar.periods(start + i * 3_600_000));
  expect(new Set(hours.map(({ day }) => day))).toEqual(new Set(["2026-10-25"]));
  expect(new Set(hours.map(({ hour }) => hour)).size).toBe(25);
  expect(calendar.periods(start + 25 * 3_600_000).day).toBe("2026-10-26");
});

test("a day on which daylight saving begins has 23 hours", () => {
  const calendar = new Calendar("America/New_York");
  const start = Date.parse("2026-03-08T05:00:00Z");
  expect(calendar.periods(start + 23 * 3_600_000 - 1).day).toBe("2026-03-08");
  expect(calendar.periods(start + 23 * 3_600_000).day).toBe("2026-03-09");
});

test("offsets of the distant past have seconds", () => {
  expect(periods("Europe/Berlin", "0099-06-01T12:00:00Z")).toMatchObject({
    hour: "0099-06-01T12+00:53:28",
    year: "0099",
  });
});

test.each(["UTC", "Europe/Berlin", "America/Argentina/ComodRivadavia", "Etc/GMT+5"])(
  "accepts the time zone %s",
  (zone) => {
    checkTimeZone(zone, "time_zone");
  },
);

test.each(["", "Mars/Base", "+02:00", " UTC", "A".repeat(100_000)])(
  "rejects the time zone %.20j",
  (zone) => {
    expect(() => checkTimeZone(zone, "time_zone")).toThrow(
      expect.objectContaining({
        reason: "REQUEST_INVALID",
        message: expect.stringMatching(/^time_zone: unknown time zone .{0,70}\. Use a name/),
        metadata: { field: "time_zone" },
      }),
    );
  },
);
