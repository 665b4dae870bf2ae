import { createFairScheduler } from "./fair-scheduler.js";

const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 1));
const never = () => new AbortController().signal;

/** Works of so many slices; the order in which they take them. */
async function run(
  turns: ReturnType<typeof createFairScheduler>,
  works: { name: string; slices: number; expectedMs: number }[],
): Promise<string[]> {
  const order: string[] = [];
  await Promise.all(
    works.map(async ({ name, slices, expectedMs }) => {
      const own = turns.join(expectedMs, never());
      for (let i = 0; i < slices; i += 1) {
        await own.take(async () => {
          order.push(name);
          await pause();
        });
      }
    }),
  );
  return order;
}

const heavy = Array.from({ length: 100 }, (_, i) => ({
  name: `heavy-${i}`,
  slices: 5,
  expectedMs: 6000,
}));

test("what is short is done soon, wherever it stands among what is long, and all that is long ends", async () => {
  const light = (name: string) => ({ name, slices: 5, expectedMs: 100 });
  const order = await run(createFairScheduler(2), [
    ...heavy.slice(0, 50),
    light("middle"),
    ...heavy.slice(50),
    light("last"),
  ]);
  expect(order).toHaveLength(510);
  for (const name of ["middle", "last"]) expect(order.lastIndexOf(name)).toBeLessThan(40);
});

test("what has waited longest gets on although short work comes all the time", async () => {
  const turns = createFairScheduler(1);
  let done = false;
  const long = run(turns, [{ name: "long", slices: 10, expectedMs: 6000 }]).then(
    () => (done = true),
  );
  let short = 0;
  while (!done) {
    await run(
      turns,
      Array.from({ length: 4 }, () => ({ name: "short", slices: 1, expectedMs: 100 })),
    );
    short += 4;
  }
  await long;
  expect(short).toBeLessThanOrEqual(60);
});

test("never more than so many run, and who is cancelled while waiting leaves", async () => {
  const turns = createFairScheduler(3);
  const cancel = new AbortController();
  let running = 0;
  let most = 0;
  const slice = async () => {
    most = Math.max(most, (running += 1));
    await pause();
    running -= 1;
  };
  const cancelled = Promise.allSettled(
    Array.from({ length: 10 }, () => turns.join(0, AbortSignal.any([cancel.signal])).take(slice)),
  );
  const others = Promise.all(Array.from({ length: 10 }, () => turns.join(0, never()).take(slice)));
  cancel.abort(new Error("enough"));
  expect(
    (await cancelled).every(
      (one) => one.status === "rejected" && (one.reason as Error).message === "enough",
    ),
  ).toBe(true);
  await others;
  await expect(
    turns.join(0, never()).take(() => Promise.reject(new Error("broken"))),
  ).rejects.toThrow("broken");
  await turns.join(0, never()).take(slice);
  expect(most).toBe(3);
});
