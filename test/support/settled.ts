import { setTimeout as sleep } from "node:timers/promises";

/** Waits until a number is unchanged for 300 ms, and returns it. */
export async function settled(value: () => number): Promise<number> {
  for (;;) {
    const before = value();
    await sleep(300);
    if (value() === before) return before;
  }
}
