import { resolveTargetTime } from "./target-time.js";

const window = { earliestMicros: 100, latestMicros: 200, historyStartMicros: 100 };
const pruned = {
  earliestMicros: 100,
  latestMicros: 200,
  historyStartMicros: 40,
  boundingLink: "/core/examples/a",
};

test.each([[100n], [150n], [200n]])("%s is inside the window, both ends included", (target) => {
  expect(resolveTargetTime(target, window, false)).toEqual({ targetTimeMicros: Number(target) });
  expect(resolveTargetTime(target, pruned, true)).toEqual({ targetTimeMicros: Number(target) });
});

test("restores everything without a target time", () => {
  expect(resolveTargetTime(undefined, window, false)).toEqual({});
});

test.each([[99n], [201n], [0n], [-1n], [2n ** 62n]])(
  "strictly, %s is out of range and the message states the window",
  (target) => {
    expect(() => resolveTargetTime(target, window, false)).toThrow(
      expect.objectContaining({
        code: "OUT_OF_RANGE",
        message: expect.stringContaining("from 1970-01-01T00:00:00.000100Z") as string,
      }) as Error,
    );
  },
);

test("lenient: restores everything for a time after the end, an empty index for a time before the first version, with a warning", () => {
  expect(resolveTargetTime(2n ** 62n, window, true)).toEqual({
    warning: expect.stringContaining("everything") as string,
  });
  expect(resolveTargetTime(0n, window, true)).toMatchObject({
    targetTimeMicros: 0,
    warning: expect.stringContaining("empty") as string,
  });
  expect(resolveTargetTime(39n, pruned, true)).toMatchObject({ targetTimeMicros: 39 });
  expect(resolveTargetTime(5n, { ...window, historyStartMicros: 0 }, true)).toMatchObject({
    targetTimeMicros: 5,
  });
});

test.each([[40n], [99n]])(
  "refuses a time removed by compaction, %s, in both modes and names the bounding link",
  (target) => {
    for (const lenient of [true, false]) {
      expect(() => resolveTargetTime(target, pruned, lenient)).toThrow(
        expect.objectContaining({
          reason: "TARGET_TIME_OUT_OF_RANGE",
          message: expect.stringContaining("/core/examples/a") as string,
        }) as Error,
      );
    }
  },
);
