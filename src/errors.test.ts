import { existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { temporaryDirectory } from "../test/support/temporary-directory.js";
import { HostError, untoldCause } from "./errors.js";

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
  "an error of the file system at %s is the storage's, without its path for the caller and with it for the log",
  async (syscall, work) => {
    const thrown = await thrownBy(work);
    const error = HostError.from(thrown);
    expect(error).toMatchObject({
      reason: "STORAGE_FAILED",
      metadata: { syscall, errno: expect.stringMatching(/^E/) as string },
    });
    expect(error.message).not.toContain(directory);
    expect(untoldCause(error)).toBe(thrown);
  },
);

test("a full disk is told as one", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), {
    code: "ENOSPC",
    syscall: "write",
  });
  expect(HostError.from(full)).toMatchObject({ reason: "STORAGE_FULL" });
});

test("what is no file's error stays INTERNAL, and what is told needs no log", async () => {
  const refused = await thrownBy(
    () => new Promise((_resolve, reject) => connect(1, "127.0.0.1").on("error", reject)),
  );
  expect(HostError.from(refused).reason).toBe("INTERNAL");
  expect(untoldCause(HostError.from(refused))).toBe(refused);
  expect(HostError.from(new TypeError("x")).reason).toBe("INTERNAL");
  expect(untoldCause(new HostError("QUEUE_FULL", "full"))).toBeUndefined();
  expect(existsSync(missing)).toBe(false);
});
