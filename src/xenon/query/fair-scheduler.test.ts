import { createFairScheduler } from "./fair-scheduler.js";

const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 1));
const never = () => new AbortController().signal;

/** Runs tasks with the given numbers of slices and returns the order of the slices. */
async function run(
  scheduler: ReturnType<typeof createFairScheduler>,
  tasks: { name: string; slices: number; expectedMs: number }[],
): Promise<string[]> {
  const order: string[] = [];
  await Promise.all(
    tasks.map(async ({ name, slices, expectedMs }) => {
      const own = scheduler.add(expectedMs, never());
      for (let i = 0; i < slices; i += 1) {
        await own.run(async () => {
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

test("finishes short tasks soon among long ones, and finishes all long ones", async () => {
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

test("does not starve a long task while short ones keep arriving", async () => {
  const scheduler = createFairScheduler(1);
  let done = false;
  const long = run(scheduler, [{ name: "long", slices: 10, expectedMs: 6000 }]).then(
    () => (done = true),
  );
  let short = 0;
  while (!done) {
    await run(
      scheduler,
      Array.from({ length: 4 }, () => ({ name: "short", slices: 1, expectedMs: 100 })),
    );
    short += 4;
  }
  await long;
  expect(short).toBeLessThanOrEqual(60);
});

test("bounds the number of concurrent slices, and removes a task cancelled while waiting", async () => {
  const scheduler = createFairScheduler(3);
  const cancel = new AbortController();
  let running = 0;
  let most = 0;
  const slice = async () => {
    most = Math.max(most, (running += 1));
    await pause();
    running -= 1;
  };
  const cancelled = Promise.allSettled(
    Array.from({ length: 10 }, () => scheduler.add(0, AbortSignal.any([cancel.signal])).run(slice)),
  );
  const others = Promise.all(
    Array.from({ length: 10 }, () => scheduler.add(0, never()).run(slice)),
  );
  cancel.abort(new Error("enough"));
  expect(
    (await cancelled).every(
      (one) => one.status === "rejected" && (one.reason as Error).message === "enough",
    ),
  ).toBe(true);
  await others;
  await expect(
    scheduler.add(0, never()).run(() => Promise.reject(new Error("broken"))),
  ).rejects.toThrow("broken");
  await scheduler.add(0, never()).run(slice);
  expect(most).toBe(3);
});
