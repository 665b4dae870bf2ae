import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CreateMultipartUploadCommand } from "@aws-sdk/client-s3";
import type { Destination } from "../../src/destination/destination.js";
import { S3Scheme } from "../../src/destination/s3/scheme.js";
import { systemPlatform, type Platform } from "../../src/io/platform.js";
import { limits } from "../../src/limits.js";
import { eventually } from "../support/eventually.js";
import {
  bytesAt,
  namesBelow,
  openUploads,
  shortLease,
  shortTransfer,
} from "../support/s3-fixture.js";
import { s3Proxy, type S3Answer, type S3Proxy } from "../support/s3-proxy.js";
import { haveVersitygw, strictStore, type S3Store } from "../support/s3-store.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const MiB = 1024 * 1024;
const { signal } = new AbortController();
const content = randomBytes(31 * MiB);
const sha256 = createHash("sha256").update(content).digest("hex");
const parts = 7;

let store: S3Store;
let proxy: S3Proxy;
let count = 0;
let prefix: string;
let openFiles = 0;
const bounds = limits as unknown as Record<string, number>;
const usual = {
  s3MultipartBytes: bounds["s3MultipartBytes"]!,
  s3PartBytes: bounds["s3PartBytes"]!,
};

/** Counts the files that are open, because a failed attempt leaves the reader of its part behind. */
const platform: Platform = {
  ...systemPlatform,
  transfer: shortTransfer,
  lease: shortLease,
  files: {
    ...systemPlatform.files,
    async openToRead(path) {
      const file = await systemPlatform.files.openToRead(path);
      openFiles += 1;
      return new Proxy(file, {
        get(target, name) {
          if (name === "close")
            return async () => {
              openFiles -= 1;
              await target.close();
            };
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === "function" ? (value.bind(target) as unknown) : value;
        },
      });
    },
  },
};

async function openDestination(): Promise<Destination> {
  const scheme = new S3Scheme({
    platform,
    policy: { allowPrivate: true, allowed: [] },
    tls: {},
    temporaryDirectory: temporaryDirectory(),
  });
  const uri = `${proxy.uri}/m${count}`;
  const { destination } = await scheme.open({ uri, purpose: "write objects" });
  await destination.probe?.(signal);
  return destination;
}

async function upload(destination: Destination, name = "b.zip") {
  const staging = await destination.stage({});
  const path = join(staging.directory, "file");
  writeFileSync(path, content);
  proxy.reset();
  return {
    async put() {
      try {
        return await destination.put(name, { path }, { signal, sizeBytes: content.length, sha256 });
      } finally {
        await staging.close();
      }
    },
  };
}

(haveVersitygw ? describe : describe.skip)("an object that is uploaded in parts", () => {
  beforeAll(async () => {
    store = await strictStore();
    proxy = await s3Proxy(store);
    // The smallest parts that the protocol allows.
    Object.assign(bounds, { s3MultipartBytes: 6 * MiB, s3PartBytes: 5 * MiB });
  });
  afterAll(() => void Object.assign(bounds, usual));
  beforeEach(() => {
    proxy.reset();
    prefix = `m${(count += 1)}/`;
    openFiles = 0;
  });

  test("is complete, compared by its digest, and sent with few parts at once", async () => {
    const { put } = await upload(await openDestination());
    expect(await put()).toEqual({ verified: true });
    expect(Buffer.from(await bytesAt(store, `${prefix}b.zip`)).equals(content)).toBe(true);
    expect(proxy.counts()).toMatchObject({
      "CREATE archive": 1,
      "PART archive": parts,
      "COMPLETE archive": 1,
    });
    expect(proxy.mostAtOnce["PART archive"]).toBeGreaterThan(1);
    expect(proxy.mostAtOnce["PART archive"]).toBeLessThanOrEqual(limits.s3Parts);
    expect(await openUploads(store, prefix)).toEqual([]);
  });

  test("a store that takes every part and then fails is given up on", async () => {
    const { put } = await upload(await openDestination());
    proxy.fault = ({ kind }) => (kind === "PART archive" ? { cut: "after" } : undefined);
    await expect(put()).rejects.toMatchObject({ reason: "DESTINATION_UNREACHABLE" });
    proxy.reset();
    expect(await openUploads(store, prefix)).toEqual([]);
  });

  test("an upload that outlives its abort is aborted again", async () => {
    const { put } = await upload(await openDestination());
    proxy.fault = ({ kind, nth }) => {
      if (kind === "PART archive") return { status: 403, code: "AccessDenied" };
      return kind === "ABORT archive" && nth <= 2 ? { status: 204 } : undefined;
    };
    await expect(put()).rejects.toMatchObject({ reason: "DESTINATION_REFUSED" });
    expect(proxy.counts()["ABORT archive"]).toBe(3);
    expect(await openUploads(store, prefix)).toEqual([]);
  });

  const failing: [string, string, S3Answer][] = [
    ["PART archive", "a cut connection", { cut: "before" }],
    ["PART archive", "a lost response", { cut: "after" }],
    ["PART archive", "503", { status: 503, code: "SlowDown" }],
    ["PART archive", "no response", { stall: "after" }],
    ["COMPLETE archive", "a lost response", { cut: "after" }],
    ["COMPLETE archive", "an error with status 200", { status: 200, code: "InternalError" }],
    ["COMPLETE archive", "503", { status: 503, code: "SlowDown" }],
    ["CREATE archive", "503", { status: 503, code: "SlowDown" }],
  ];
  test.each(failing)("survives at %s: %s", async (kind, _what, answer) => {
    const { put } = await upload(await openDestination());
    proxy.fault = (request) => (request.kind === kind && request.nth === 1 ? answer : undefined);
    expect(await put()).toEqual({ verified: true });
    expect(proxy.faults).toBe(1);
    // Only what failed is repeated.
    expect(proxy.counts()["PART archive"]).toBe(kind === "PART archive" ? parts + 1 : parts);
    expect(Buffer.from(await bytesAt(store, `${prefix}b.zip`)).equals(content)).toBe(true);
    expect(await openUploads(store, prefix)).toEqual([]);
    await eventually(() => openFiles === 0);
  });

  test.each([
    ["PART archive", { status: 403, code: "AccessDenied" }, /access denied/],
    ["PART archive", { status: 404, code: "NoSuchUpload" }, /aborted by another program/],
    ["PART archive", { status: 503, code: "SlowDown" }, /503 \(SlowDown\).*Tried/],
    ["COMPLETE archive", { status: 400, code: "InvalidPart" }, /400 \(InvalidPart\)/],
  ] as [string, S3Answer, RegExp][])(
    "is aborted after a failure at %s: %j",
    async (kind, answer, message) => {
      const { put } = await upload(await openDestination());
      proxy.fault = (request) => (request.kind === kind ? answer : undefined);
      await expect(put()).rejects.toMatchObject({
        message: expect.stringMatching(message) as string,
      });
      proxy.reset();
      expect(await openUploads(store, prefix)).toEqual([]);
      expect(await namesBelow(store, prefix)).toEqual([]);
      await eventually(() => openFiles === 0);
    },
  );

  test("that a failure left behind is aborted by the next owner of its lock, and no other upload", async () => {
    const destination = await openDestination();
    const begin = (name: string) =>
      store.client.send(
        new CreateMultipartUploadCommand({ Bucket: store.bucket, Key: `${prefix}${name}` }),
      );
    for (const name of ["b.zip", "b.zip2", "c.zip", "base-1", "sub/base-1"]) await begin(name);
    const keys = async () =>
      (await openUploads(store, prefix)).map((key) => key.slice(prefix.length));
    const archive = await destination.lock("b.zip", signal);
    await destination.removeAbandoned("b.zip", archive);
    expect(await keys()).toEqual(["b.zip2", "base-1", "c.zip", "sub/base-1"]);
    // Another host uploads c.zip now.
    const busy = await destination.lock("c.zip", signal);
    const lock = await destination.lock(undefined, signal);
    await destination.removeAbandoned(undefined, lock);
    expect(await keys()).toEqual(["c.zip", "sub/base-1"]);
    for (const each of [archive, busy, lock]) await each.release();
  });
});
