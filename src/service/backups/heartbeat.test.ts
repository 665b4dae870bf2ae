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

test("passes items on in order, and ticks while the source is silent", async () => {
  const told: string[] = [];
  let ticks = 0;
  for await (const one of withHeartbeat(slow([0, 300, 0]), 20, () =>
    (ticks += 1) === 1 ? undefined : "tick",
  ))
    told.push(one);
  expect(told.filter((one) => one !== "tick")).toEqual(["item 0", "item 1", "item 2"]);
  expect(told.slice(told.indexOf("item 0") + 1, told.indexOf("item 1"))).toContain("tick");
  expect(told.filter((one) => one === "tick")).toHaveLength(ticks - 1);
});

test("ends the source when its reader stops at a beat, and ignores its error then", async () => {
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
  const told: string[] = [];
  const all = async () => {
    for await (const one of withHeartbeat(failing(), 1000, () => "tick")) told.push(one);
  };
  await expect(all()).rejects.toThrow("broken");
  expect(told).toEqual(["first"]);
});
