import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { isGone, ownProcess } from "./process-identity.js";

test("a process that lives is not gone, one that ended is, and one of elsewhere may live", async () => {
  const own = ownProcess();
  if (own === undefined) return void console.warn("SKIPPED: this system has no /proc");
  expect(isGone(own)).toBe(false);
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  const stat = readFileSync(`/proc/${child.pid}/stat`, "latin1");
  const other = {
    ...own,
    pid: child.pid ?? 0,
    startTicks: stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "",
  };
  expect(isGone(other)).toBe(false);
  // The same number, given to a later process.
  expect(isGone({ ...other, startTicks: "1" })).toBe(true);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
  expect(isGone(other)).toBe(true);
  expect(isGone({ ...other, boot: "another machine" })).toBe(false);
  expect(isGone({ ...other, namespace: "pid:[1]" })).toBe(false);
});
