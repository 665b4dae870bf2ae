import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { runZip, type ZipCall, type ZipOutcome } from "../../src/container/zip-call.js";
import { runInChild } from "../../src/io/child-process.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const never = new AbortController().signal;
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

function packCall(
  root: string,
  segments: { name: string; path: string; content: Buffer }[],
  path = join(root, "b.zip"),
): ZipCall {
  const bytes = Buffer.from("{}\n");
  return {
    kind: "pack",
    path,
    store: false,
    modifiedMs: 1_700_000_000_000,
    segments: segments.map(({ name, path: from, content }) => ({
      name,
      path: from,
      sizeBytes: content.length,
      sha256: sha256(content),
    })),
    last: [
      {
        name: `manifest-0000000001-${sha256(bytes).slice(0, 16)}.json`,
        sha256: sha256(bytes),
        bytes,
      },
    ],
  };
}

test("a missing segment, an invalid one and an unwritable destination have distinct errors", async () => {
  const root = temporaryDirectory();
  const content = Buffer.alloc(3_000_000, "segment");
  const path = join(root, "segment");
  await expect(runZip(packCall(root, [{ name: "a", path, content }]), never)).rejects.toMatchObject(
    { reason: "BACKUP_NOT_FOUND" },
  );
  writeFileSync(path, content);
  const other = Buffer.from(content);
  other[1_000_000] = 0;
  await expect(
    runZip(packCall(root, [{ name: "a", path, content: other }], join(root, "other.zip")), never),
  ).rejects.toMatchObject({ code: "DATA_LOSS" });
  mkdirSync(join(root, "taken.zip"));
  await expect(
    runZip(packCall(root, [{ name: "a", path, content }], join(root, "taken.zip")), never),
  ).rejects.toMatchObject({ reason: "DESTINATION_FAILED" });
});

test("a segment that disappears while others are packed leaves no archive", async () => {
  const root = temporaryDirectory();
  const content = randomBytes(6_000_000);
  const path = join(root, "segment");
  writeFileSync(path, content);
  const call = packCall(root, [
    { name: "a", path, content },
    { name: "b", path: join(root, "missing"), content },
    { name: "c", path, content },
  ]);
  await expect(runZip(call, never)).rejects.toMatchObject({ reason: "BACKUP_NOT_FOUND" });
  expect(existsSync(call.path)).toBe(false);
});

test("the bytes of an archive do not depend on the number of threads that compress it", async () => {
  const root = temporaryDirectory();
  const content = Buffer.concat(
    Array.from({ length: 8 }, () => [randomBytes(500_000), Buffer.alloc(700_000, "text")]).flat(),
  );
  const path = join(root, "segment");
  writeFileSync(path, content);
  const digests: (string | undefined)[] = [];
  for (const threads of ["1", "4", "16"]) {
    const call = packCall(root, [{ name: "a", path, content }], join(root, `${threads}.zip`));
    const packed = await runInChild<ZipCall, ZipOutcome, number>("container/zip-process", call, {
      signal: never,
      environment: { UV_THREADPOOL_SIZE: threads },
      nodeArguments: ["--expose-gc"],
    });
    expect(packed.sha256).toBe(sha256(readFileSync(call.path)));
    digests.push(packed.sha256);
  }
  expect(new Set(digests).size).toBe(1);
});

test("packing and unpacking use memory independent of the size of the backup", async () => {
  const root = temporaryDirectory();
  const bytes = 600 * 1024 * 1024;
  const path = join(root, "large");
  closeSync(openSync(path, "w"));
  truncateSync(path, bytes);
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  const digest = hash.digest("hex");
  const call = packCall(root, []) as Extract<ZipCall, { kind: "pack" }>;
  let peakKiB = 0;
  const timer = setInterval(() => {
    for (const task of readdirSync("/proc/self/task")) {
      const children = readFileSync(`/proc/self/task/${task}/children`, "latin1")
        .trim()
        .split(" ")
        .filter(Boolean);
      for (const child of children) {
        try {
          peakKiB = Math.max(
            peakKiB,
            Number(
              /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child}/status`, "latin1"))?.[1] ?? 0,
            ),
          );
        } catch {
          // The process has just exited.
        }
      }
    }
  }, 20);
  try {
    await runZip(
      { ...call, segments: [{ name: "large", path, sizeBytes: bytes, sha256: digest }] },
      never,
    );
    const target = join(root, "unpacked");
    expect(
      await runZip(
        {
          kind: "extract",
          path: call.path,
          segments: [{ name: "large", sizeBytes: bytes, target }],
        },
        never,
      ),
    ).toEqual({ sizeBytes: bytes });
  } finally {
    clearInterval(timer);
  }
  expect(peakKiB).toBeGreaterThan(0);
  expect(peakKiB / 1024).toBeLessThan(160);
}, 120_000);
