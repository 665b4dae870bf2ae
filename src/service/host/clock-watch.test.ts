import { limits } from "../../limits.js";
import { watchClock } from "./clock-watch.js";

const hour = 3_600_000_000;

test("tells that a log is ahead of the clock as long as it lasts, and when it is over", async () => {
  jest.useFakeTimers();
  try {
    const told: (string | undefined)[] = [];
    let now = 100 * hour;
    let position = 90 * hour;
    const onError = (error: unknown) => told.push(String(error));
    const close = await watchClock({
      indexes: [{ link: "/core/x", positionMicros: async () => position }],
      nowMicros: () => now,
      onChange: (problem) => told.push(problem),
      onError,
    });
    position = 150 * hour;
    await jest.advanceTimersByTimeAsync(3 * limits.clockCheckMs);
    now = 151 * hour;
    await jest.advanceTimersByTimeAsync(limits.clockCheckMs);
    expect(told).toEqual([
      undefined,
      expect.stringMatching(
        /^The log of \/core\/x is 2 days ahead of the clock: .*Check the clock\.$/,
      ),
      undefined,
    ]);
    await close();
  } finally {
    jest.useRealTimers();
  }
});
