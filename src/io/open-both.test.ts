import { openBoth } from "./open-both.js";

const closable = (name: string, closed: string[]) => ({
  name,
  close: async () => void closed.push(name),
});

test("returns both in their order", async () => {
  const closed: string[] = [];
  const [left, right] = await openBoth([
    Promise.resolve(closable("left", closed)),
    Promise.resolve(closable("right", closed)),
  ]);
  expect([left.name, right.name, closed]).toEqual(["left", "right", []]);
});

test("closes the one that was opened if the other fails", async () => {
  for (const failing of [0, 1]) {
    const closed: string[] = [];
    const opening = ["left", "right"].map((name, at) =>
      at === failing ? Promise.reject(new Error("gone")) : Promise.resolve(closable(name, closed)),
    ) as [Promise<ReturnType<typeof closable>>, Promise<ReturnType<typeof closable>>];
    await expect(openBoth(opening)).rejects.toThrow("gone");
    expect(closed).toEqual([failing === 0 ? "right" : "left"]);
  }
});
