import { existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { temporaryDirectory } from "../test/support/temporary-directory.js";
import { HostError, causeToLog } from "./errors.js";

const directory = temporaryDirectory();
const missing = join(directory, "missing");

async function thrownBy(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (thrown) {
    return thrown;
  }
  throw new Error("nothing was thrown");
}

test.each([
  ["open", () => openSync(missing, "r")],
  ["open", () => open(missing)],
  ["scandir", () => readdir(missing)],
  ["read", () => readFileSync(directory)],
  ["mkdir", () => mkdirSync(directory)],
])(
  "reports a file system error in %s as STORAGE_FAILED and keeps the path for the log only",
  async (syscall, work) => {
    const thrown = await thrownBy(work);
    const error = HostError.from(thrown);
    expect(error).toMatchObject({
      reason: "STORAGE_FAILED",
      metadata: { syscall, errno: expect.stringMatching(/^E/) as string },
    });
    expect(error.message).not.toContain(directory);
    expect(causeToLog(error)).toBe(thrown);
  },
);

test("reports a full disk as STORAGE_FULL", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), {
    code: "ENOSPC",
    syscall: "write",
  });
  expect(HostError.from(full)).toMatchObject({ reason: "STORAGE_FULL" });
});

test("reports other errors as INTERNAL and logs no cause for errors sent in full", async () => {
  const refused = await thrownBy(
    () => new Promise((_resolve, reject) => connect(1, "127.0.0.1").on("error", reject)),
  );
  expect(HostError.from(refused).reason).toBe("INTERNAL");
  expect(causeToLog(HostError.from(refused))).toBe(refused);
  expect(HostError.from(new TypeError("x")).reason).toBe("INTERNAL");
  expect(causeToLog(new HostError("QUEUE_FULL", "full"))).toBeUndefined();
  expect(existsSync(missing)).toBe(false);
});
