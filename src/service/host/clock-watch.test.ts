import { limits } from "../../limits.js";
import { watchClock } from "./clock-watch.js";

const hour = 3_600_000_000;

test("reports a log ahead of the clock, and when the clock has caught up", async () => {
  jest.useFakeTimers();
  try {
    const reported: (string | undefined)[] = [];
    let now = 100 * hour;
    let position = 90 * hour;
    const onError = (error: unknown) => reported.push(String(error));
    const close = await watchClock({
      indexes: [{ link: "/core/x", positionMicros: async () => position }],
      nowMicros: () => now,
      onChange: (problem) => reported.push(problem),
      onError,
    });
    position = 150 * hour;
    await jest.advanceTimersByTimeAsync(3 * limits.clockCheckMs);
    now = 151 * hour;
    await jest.advanceTimersByTimeAsync(limits.clockCheckMs);
    expect(reported).toEqual([
      undefined,
      expect.stringMatching(
        /^The log of \/core\/x is 2 days ahead of the clock: .*Check the system clock\.$/,
      ),
      undefined,
    ]);
    await close();
  } finally {
    jest.useRealTimers();
  }
});
