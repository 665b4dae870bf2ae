import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { hasEnded, ownProcess } from "./process-identity.js";

test("detects that a process of this machine has ended, and never reports it for a process of another machine", async () => {
  const own = ownProcess();
  if (own === undefined) return void console.warn("SKIPPED: this system has no /proc");
  expect(hasEnded(own)).toBe(false);
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  const stat = readFileSync(`/proc/${child.pid}/stat`, "latin1");
  const other = {
    ...own,
    pid: child.pid ?? 0,
    startTicks: stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "",
  };
  expect(hasEnded(other)).toBe(false);
  // A later process with the same ID.
  expect(hasEnded({ ...other, startTicks: "1" })).toBe(true);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
  expect(hasEnded(other)).toBe(true);
  expect(hasEnded({ ...other, boot: "another machine" })).toBe(false);
  expect(hasEnded({ ...other, namespace: "pid:[1]" })).toBe(false);
});

test("does not reveal the ID of the boot", () => {
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  expect(ownProcess()?.boot).toMatch(/^[0-9a-f]{32}$/);
  expect(JSON.stringify(ownProcess())).not.toContain(boot.slice(0, 8));
});
