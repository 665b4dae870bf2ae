import { setTimeout as sleep } from "node:timers/promises";

/** What a number comes to once it has stood still for 300 ms. */
export async function settled(value: () => number): Promise<number> {
  for (;;) {
    const before = value();
    await sleep(300);
    if (value() === before) return before;
  }
}
