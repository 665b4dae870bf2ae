import { HostError } from "../../errors.js";
import { retry, type Attempt } from "./retry.js";

const platform = (patienceMs = 1000, silenceMs = 300) => ({
  randomHex: () => "8000",
  transfer: { patienceMs, silenceMs, backOffMs: 4 },
});
const never = new AbortController().signal;
const down = (metadata: Record<string, string> = {}) =>
  new HostError("DESTINATION_UNREACHABLE", "The store is down.", { metadata });

/** Fails with each of the errors, then succeeds; when the tries were, in milliseconds from the first. */
function tries(errors: Error[], during: (attempt: Attempt) => void = () => {}) {
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

test("what passes is tried again, after longer and longer pauses", async () => {
  const { at, attempt } = tries(Array.from({ length: 5 }, () => down()));
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
])("%s is not tried again", async (error) => {
  const { at, attempt } = tries([error]);
  await expect(retry(platform(), never, attempt)).rejects.toBe(error);
  expect(at).toHaveLength(1);
});

test("the time that the other end asks for is waited, and one beyond all patience is not waited for", async () => {
  const { at, attempt } = tries([down({ retryAfterSeconds: "1" })]);
  expect(await retry(platform(5000), never, attempt)).toBe("done");
  expect(at[1]).toBeGreaterThanOrEqual(990);
  const { at: once, attempt: late } = tries([down({ retryAfterSeconds: "3600" })]);
  await expect(retry(platform(5000), never, late)).rejects.toMatchObject({
    reason: "DESTINATION_UNREACHABLE",
    message: expect.stringContaining("Tried once; 5 s") as string,
  });
  expect(once).toHaveLength(1);
  // None at all is no hammering.
  const { at: soon, attempt: zero } = tries([down({ retryAfterSeconds: "0" })]);
  await retry(platform(), never, zero);
  expect(soon[1]).toBeGreaterThanOrEqual(2);
});

test("gives up after the time limit, which progress restarts", async () => {
  const failing = Array.from({ length: 1000 }, () => down());
  await expect(retry(platform(200), never, tries(failing).attempt)).rejects.toMatchObject({
    message: expect.stringMatching(/Tried \d+ times; 0\.2 s/) as string,
  });
  const { at, attempt } = tries(failing, ({ number, progress }) => {
    if (number < 100) progress();
  });
  await expect(retry(platform(200), never, attempt)).rejects.toThrow(/is down/);
  expect(at.length).toBeGreaterThan(100);
  expect(at.at(-1)).toBeGreaterThan(300);
});

test("a silence is never longer than what is left of the patience", async () => {
  const silences: number[] = [];
  await retry(
    platform(5000, 4500),
    never,
    tries([down({ retryAfterSeconds: "1" })], ({ silenceMs }) => silences.push(silenceMs)).attempt,
  );
  expect(silences[0]).toBe(4500);
  // A timer may ring a part of a millisecond early.
  expect(silences[1]).toBeLessThanOrEqual(4001);
});

test("an abort ends a pause at once", async () => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(new HostError("OPERATION_CANCELLED", "enough")), 20);
  const begun = performance.now();
  const error = await retry(
    platform(60_000),
    stop.signal,
    tries([down({ retryAfterSeconds: "30" })]).attempt,
  ).catch((thrown: unknown) => HostError.from(thrown));
  expect([(error as HostError).reason, performance.now() - begun < 20_000]).toEqual([
    "OPERATION_CANCELLED",
    true,
  ]);
});
