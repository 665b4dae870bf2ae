import { HostError } from "../errors.js";
import { retry, type Attempt } from "./retry.js";

const platform = (retryTimeoutMs = 1000, idleTimeoutMs = 300) => ({
  randomHex: () => "8000",
  transfer: { retryTimeoutMs, idleTimeoutMs, backOffMs: 4 },
});
const never = new AbortController().signal;
const down = (metadata: Record<string, string> = {}) =>
  new HostError("DESTINATION_UNREACHABLE", "The store is down.", { metadata });

/**
 * An attempt that fails with each error in turn and then succeeds, and the times of the attempts in
 * milliseconds.
 */
function attempts(errors: Error[], during: (attempt: Attempt) => void = () => {}) {
  const at: number[] = [];
  const begun = performance.now();
  return {
    at,
    attempt: async (attempt: Attempt) => {
      at.push(performance.now() - begun);
      during(attempt);
      const error = errors[at.length - 1];
      if (error) throw error;
      return "done";
    },
  };
}

test("retries a transient error, with increasing pauses", async () => {
  const { at, attempt } = attempts(Array.from({ length: 5 }, () => down()));
  expect(await retry(platform(), never, attempt)).toBe("done");
  const pauses = at.slice(1).map((each, i) => each - at[i]!);
  // 3/4 of 4, 8, 16, 32 and 64 ms.
  for (const [i, pause] of pauses.entries()) expect(pause).toBeGreaterThanOrEqual(3 * 2 ** i - 1);
});

test.each([
  new HostError("DESTINATION_REFUSED", "no"),
  new HostError("SOURCE_CHANGED", "no"),
  down({ errno: "ENOTFOUND" }),
  Object.assign(new Error("the disk"), { code: "EIO" }),
])("does not retry %s", async (error) => {
  const { at, attempt } = attempts([error]);
  await expect(retry(platform(), never, attempt)).rejects.toBe(error);
  expect(at).toHaveLength(1);
});

test("waits as long as Retry-After states, unless that exceeds the timeout", async () => {
  const { at, attempt } = attempts([down({ retryAfterSeconds: "1" })]);
  expect(await retry(platform(5000), never, attempt)).toBe("done");
  expect(at[1]).toBeGreaterThanOrEqual(990);
  const { at: once, attempt: late } = attempts([down({ retryAfterSeconds: "3600" })]);
  await expect(retry(platform(5000), never, late)).rejects.toMatchObject({
    reason: "DESTINATION_UNREACHABLE",
    message: expect.stringContaining("Tried once without progress for 5 s") as string,
  });
  expect(once).toHaveLength(1);
  // A delay of zero does not disable the pause.
  const { at: soon, attempt: zero } = attempts([down({ retryAfterSeconds: "0" })]);
  await retry(platform(), never, zero);
  expect(soon[1]).toBeGreaterThanOrEqual(2);
});

test("fails after the timeout, which progress restarts", async () => {
  const failing = Array.from({ length: 1000 }, () => down());
  await expect(retry(platform(200), never, attempts(failing).attempt)).rejects.toMatchObject({
    message: expect.stringMatching(/Tried \d+ times without progress for 0\.2 s/) as string,
  });
  const { at, attempt } = attempts(failing, ({ number, progress }) => {
    if (number < 100) progress();
  });
  await expect(retry(platform(200), never, attempt)).rejects.toThrow(/is down/);
  expect(at.length).toBeGreaterThan(100);
  expect(at.at(-1)).toBeGreaterThan(300);
});

test("limits the idle timeout to the time that remains", async () => {
  const timeouts: number[] = [];
  await retry(
    platform(5000, 4500),
    never,
    attempts([down({ retryAfterSeconds: "1" })], ({ idleTimeoutMs }) =>
      timeouts.push(idleTimeoutMs),
    ).attempt,
  );
  expect(timeouts[0]).toBe(4500);
  // A timer may fire a fraction of a millisecond early.
  expect(timeouts[1]).toBeLessThanOrEqual(4001);
});

test("ends a pause immediately on abort", async () => {
  const stop = new AbortController();
  // During the first pause, which is much longer.
  setTimeout(() => stop.abort(new HostError("OPERATION_CANCELLED", "enough")), 20);
  const begun = performance.now();
  const error = await retry(
    platform(60_000),
    stop.signal,
    attempts([down({ retryAfterSeconds: "30" })]).attempt,
  ).catch((thrown: unknown) => HostError.from(thrown));
  expect((error as HostError).reason).toBe("OPERATION_CANCELLED");
  expect(performance.now() - begun).toBeLessThan(20_000);
});
