import { setTimeout as pause } from "node:timers/promises";
import { withHeartbeat } from "./heartbeat.js";

async function* slow(waits: number[], ended: string[] = []): AsyncGenerator<string> {
  try {
    for (const [i, wait] of waits.entries()) {
      await pause(wait);
      yield `item ${i}`;
    }
  } finally {
    ended.push("ended");
  }
}

test("yields items in order, and ticks while the source is silent", async () => {
  const yielded: string[] = [];
  let ticks = 0;
  for await (const one of withHeartbeat(slow([0, 300, 0]), 20, () =>
    (ticks += 1) === 1 ? undefined : "tick",
  ))
    yielded.push(one);
  expect(yielded.filter((one) => one !== "tick")).toEqual(["item 0", "item 1", "item 2"]);
  expect(yielded.slice(yielded.indexOf("item 0") + 1, yielded.indexOf("item 1"))).toContain("tick");
  expect(yielded.filter((one) => one === "tick")).toHaveLength(ticks - 1);
});

test("ends the source when its reader stops at a tick, and ignores a later error of the source", async () => {
  const ended: string[] = [];
  async function* failing(): AsyncGenerator<string> {
    try {
      await pause(100);
      throw new Error("too late");
    } finally {
      ended.push("ended");
    }
    yield "never";
  }
  for await (const one of withHeartbeat(failing(), 10, () => "tick")) {
    expect(one).toBe("tick");
    break;
  }
  expect(ended).toEqual(["ended"]);
});

test("throws an error of the source", async () => {
  async function* failing(): AsyncGenerator<string> {
    yield "first";
    throw new Error("broken");
  }
  const yielded: string[] = [];
  const all = async () => {
    for await (const one of withHeartbeat(failing(), 1000, () => "tick")) yielded.push(one);
  };
  await expect(all()).rejects.toThrow("broken");
  expect(yielded).toEqual(["first"]);
});
