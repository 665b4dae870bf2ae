import { createHash } from "node:crypto";
import { readdirSync, writeFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { ByteStreamClient } from "../../clients/typescript/src/gen/google/bytestream/bytestream.js";
import { credentials } from "@grpc/grpc-js";
import type { ManagementServiceClient } from "../../clients/typescript/src/gen/holdfast/management/v1/management.js";
import { eventually } from "../support/eventually.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import {
  chunk,
  header,
  managementClient,
  receiveBackup,
  sendRestore,
  trailer,
} from "../support/stream-client.js";

let fixture: HostFixture;
let client: ManagementServiceClient;
let bytes: Buffer;
async function start(more: Parameters<typeof hostFixture>[0] = {}) {
  fixture = await hostFixture(more);
  for (let i = 0; i < 40; i += 1)
    await fixture.put(`n${i}`, {
      text: createHash("sha512").update(String(i)).digest("hex").repeat(20),
    });
  client = managementClient(fixture.host.grpcAddress.port);
  ({ bytes } = await receiveBackup(client, { store: true }));
}
afterEach(() => client.close());
const url = (path: string) => `http://127.0.0.1:${fixture.host.httpAddress.port}/v1/${path}`;
const put = async (name: string, body: Buffer, headers: Record<string, string> = {}) => {
  const response = await fetch(url(`transfers/${name}`), { method: "PUT", body, headers });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const left = () =>
  readdirSync(join(fixture.root, "data", "transfers")).filter(
    (file) => !/^[0-9a-f]{8}-/.test(file),
  );

test("a refused upload changes neither a complete transfer nor the declared size of a partial one", async () => {
  await start();
  await put("whole", bytes);
  const before = (await (await fetch(url("transfers/whole"))).json()) as object;
  expect((await put("whole", Buffer.from("short"))).status).toBe(500);
  expect((await put("whole", Buffer.alloc(bytes.length + 5000))).status).toBe(500);
  expect(
    (await put("whole", bytes.subarray(0, 100), { "content-range": "bytes 0-99/100000" })).status,
  ).toBe(500);
  await expect(
    sendRestore(client, [header({ transferName: "transfers/whole", sizeBytes: 99n })]),
  ).rejects.toMatchObject({ code: status.DATA_LOSS });
  expect({
    ...((await (await fetch(url("transfers/whole"))).json()) as object),
    expireTimeMicros: "",
  }).toEqual({ ...before, expireTimeMicros: "" });
  expect(
    Buffer.from(await (await fetch(url("transfers/whole:download"))).arrayBuffer()).equals(bytes),
  ).toBe(true);
  await put("part", bytes.subarray(0, 100), { "content-range": `bytes 0-99/${bytes.length}` });
  expect(
    (await put("part", bytes.subarray(100, 200), { "content-range": "bytes 100-199/77777" }))
      .status,
  ).toBe(500);
  // More than declared, and less.
  await expect(
    sendRestore(client, [
      header({ transferName: "transfers/more", sizeBytes: 10n }),
      chunk(bytes, 0),
      trailer(bytes),
    ]),
  ).rejects.toMatchObject({ code: status.DATA_LOSS });
});

test("refused uploads occupy neither slots nor disk space", async () => {
  await start({ transfers: { maxCount: 3, maxBytes: 1 << 20 } });
  for (let i = 0; i < 5; i += 1) {
    expect(
      (await put(`r${i}`, Buffer.from("x"), { "content-range": "bytes 5-5/68719476" })).status,
    ).toBe(429);
    expect(
      (await put(`s${i}`, Buffer.from("x"), { "content-range": "bytes 5-5/6871" })).status,
    ).toBe(409);
    expect(
      (await put(`t${i}`, Buffer.from("five!"), { "content-range": "bytes 0-1/20" })).status,
    ).toBe(400);
    await expect(
      sendRestore(client, [header({ transferName: `transfers/u${i}` })]),
    ).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
  }
  expect(left()).toEqual([]);
  expect((await put("good", bytes)).status).toBe(200);
  // The size is checked with every chunk.
  expect((await put("large", Buffer.alloc(1 << 20))).status).toBe(429);
});

test("an archive of unknown size is completed by declaring the end", async () => {
  await start();
  await put("unknown", bytes.subarray(0, 5000), { "content-range": "bytes 0-4999/*" });
  expect(
    (
      await put("unknown", bytes.subarray(5000), {
        "content-range": `bytes 5000-${bytes.length - 1}/*`,
      })
    ).body,
  ).toMatchObject({ complete: false });
  expect(
    (await put("unknown", Buffer.alloc(0), { "content-range": `bytes */${bytes.length}` })).body,
  ).toMatchObject({ complete: true });
});

test("reports an archive that disappears during a restore or a verification", async () => {
  await start();
  for (let i = 0; i < 6; i += 1) {
    await put("gone", bytes);
    const begun = fixture.host.management.restore({
      source: "transfer:gone",
      indexLink: "/core/document-index",
    });
    await fetch(url("transfers/gone"), { method: "DELETE" });
    await fixture.finish(begun).catch(() => {});
    const file = join(fixture.root, "gone.zip");
    writeFileSync(file, bytes);
    const works = [
      fixture.host.management.verifyBackup(fixture.uri("gone.zip")),
      fixture.host.management.restore({
        source: fixture.uri("gone.zip"),
        indexLink: "/core/document-index",
      }),
    ];
    // The point of the work at which the file is removed.
    if (i > 0) await new Promise((done) => setTimeout(done, i));
    rmSync(file);
    await Promise.allSettled(works.map((work) => fixture.finish(work)));
  }
  expect(Object.keys(await fixture.contents())).toHaveLength(40);
});

test("validate_only of a restore reads the whole archive", async () => {
  await start();
  const flipped = Buffer.from(bytes);
  const middle = flipped.length >> 1;
  flipped[middle] = (flipped[middle] ?? 0) ^ 1;
  await put("flipped", flipped);
  const validate = (source: string) =>
    fixture.finish(
      fixture.host.management.restore({
        source,
        indexLink: "/core/document-index",
        validateOnly: true,
      }),
    );
  await expect(validate("transfer:flipped")).rejects.toMatchObject({
    reason: "BACKUP_DAMAGED",
    message: expect.stringContaining("transfer:flipped") as string,
  });
  await put("fine", bytes);
  expect(await validate("transfer:fine")).toMatchObject({ documents: 40 });
});

test("repeats a restore by stream by its request id alone, and rejects another request with that id", async () => {
  await start();
  const messages = (more: object = {}) => [
    header({ requestId: "once", ...more }),
    chunk(bytes, 0),
    trailer(bytes),
  ];
  const first = await sendRestore(client, messages());
  expect((await sendRestore(client, messages())).operation).toBe(first.operation);
  await expect(sendRestore(client, messages({ targetTimeMicros: 5n }))).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
  });
  const backup = (store: boolean) =>
    fixture.host.management.backup({
      destination: "transfer:",
      container: "ZIP",
      indexLink: "/core/document-index",
      requestId: "b",
      store,
    });
  await backup(true);
  await expect(backup(false)).rejects.toMatchObject({ reason: "REQUEST_INVALID" });
});

test("since of another lineage sends everything with a warning; rejects another index and a missing base", async () => {
  await start();
  const base = await receiveBackup(client, {});
  const since = base.header?.transfer?.backup?.manifestSha256 ?? "";
  const request = {
    destination: "transfer:",
    container: "ZIP" as const,
    indexLink: "/core/document-index",
    since,
  };
  await expect(
    fixture.host.management.backup({ ...request, indexLink: "/core/in-memory-document-index" }),
  ).rejects.toMatchObject({ reason: "BACKUP_OF_OTHER_INDEX" });
  await expect(
    fixture.host.management.backup({
      ...request,
      destination: fixture.uri("x"),
      container: "DIRECTORY",
    }),
  ).rejects.toMatchObject({ reason: "REQUEST_INVALID" });
  await expect(
    fixture.host.management.backup({ ...request, container: "DIRECTORY" }),
  ).rejects.toMatchObject({ reason: "DESTINATION_INVALID" });
  await fixture.put("more", {});
  const delta = await receiveBackup(client, { since });
  await expect(
    sendRestore(client, [header(), chunk(delta.bytes, 0), trailer(delta.bytes)]),
  ).rejects.toMatchObject({ details: expect.stringContaining("base_sources") as string });
  await sendRestore(client, [header(), chunk(base.bytes, 0), trailer(base.bytes)]);
  const { warnings, backup } = await fixture.finish<{
    warnings: string[];
    backup: { segments: { kind: string }[] };
  }>(fixture.host.management.backup(request));
  expect(warnings).toEqual([expect.stringContaining("is a full backup")]);
  expect(backup.segments[0]?.kind).toBe("base");
});

test("byte streams accept the largest integers", async () => {
  await start();
  await put("whole", bytes);
  const byteStream = new ByteStreamClient(
    `127.0.0.1:${fixture.host.grpcAddress.port}`,
    credentials.createInsecure(),
  );
  const read = async (readOffset: bigint, readLimit: bigint) => {
    let size = 0;
    for await (const { data } of byteStream.read({
      resourceName: "transfers/whole",
      readOffset,
      readLimit,
    }) as AsyncIterable<{ data: Buffer }>)
      size += data.length;
    return size;
  };
  const largest = (1n << 63n) - 1n;
  expect(await read(0n, largest)).toBe(bytes.length);
  await expect(read(largest, 0n)).rejects.toMatchObject({ code: status.OUT_OF_RANGE });
  byteStream.close();
});

test("limits the number of concurrent archive downloads and rejects an excess one before sending", async () => {
  await start();
  await put("whole", bytes);
  const held = Array.from({ length: 32 }, () => fixture.host.streams.hold("whole"));
  expect((await fetch(url("transfers/whole:download"))).status).toBe(429);
  await expect(receiveBackup(client, { transferName: "transfers/whole" })).rejects.toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
  });
  for (const one of held) one.release();
  expect((await fetch(url("transfers/whole:download"))).status).toBe(200);
});

test("validates a restore of a directory together with the archive that it extends", async () => {
  await start();
  const request = {
    destination: fixture.uri("dir"),
    container: "DIRECTORY" as const,
    indexLink: "/core/document-index",
  };
  await fixture.finish(fixture.host.management.backup(request));
  await put("whole", bytes);
  const restore = {
    source: fixture.uri("dir"),
    indexLink: request.indexLink,
    baseSources: ["transfer:whole"],
    validateOnly: true,
  };
  const names = readdirSync(join(fixture.root, "dir")).filter((name) => name.startsWith("base-"));
  for (const name of names) rmSync(join(fixture.root, "dir", name));
  expect(await fixture.finish(fixture.host.management.restore(restore))).toMatchObject({
    documents: 40,
  });
});

test("limits the number and size of unread exports", async () => {
  await start();
  const sockets = [];
  const busy = async () => (await fetch(url("documents:export?factory_link=/things"))).status;
  const text = "x".repeat(50_000);
  await Promise.all(Array.from({ length: 400 }, (_, i) => fixture.put(`large${i}`, { text })));
  for (let i = 0; i < 40; i += 1) {
    const socket = connect(fixture.host.httpAddress.port, "127.0.0.1");
    socket.pause();
    socket.write(
      "GET /v1/documents:export?factory_link=/things HTTP/1.1\r\nhost: localhost\r\n\r\n",
    );
    sockets.push(socket);
  }
  let answer = 200;
  for (let i = 0; i < 100 && answer === 200; i += 1) answer = await busy();
  expect(answer).toBe(429);
  for (const socket of sockets) socket.destroy();
  await eventually(async () => (await busy()) === 200, { intervalMs: 20 });
});
