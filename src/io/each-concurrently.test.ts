import { eachConcurrently } from "./each-concurrently.js";

test("aborts the other items after a failure, and starts no new one", async () => {
  const begun: number[] = [];
  const ended: string[] = [];
  const items = [0, 1, 2, 3, 4];
  const work = eachConcurrently(items, 3, new AbortController().signal, async (item, signal) => {
    begun.push(item);
    if (item === 1) throw new Error("broken");
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    ended.push(String(signal.aborted));
  });
  await expect(work).rejects.toThrow("broken");
  expect(begun).toEqual([0, 1, 2]);
  expect(ended).toEqual(["true", "true"]);
});
