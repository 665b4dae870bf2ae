import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import {
  BackupResult,
  BackupRequest,
  type ManagementServiceClient,
} from "../../clients/typescript/src/gen/holdfast/management/v1/management.js";
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
const clients: ManagementServiceClient[] = [];
async function start(more: Parameters<typeof hostFixture>[0] = {}) {
  fixture = await hostFixture(more);
  connect();
}
function connect() {
  client = managementClient(fixture.host.grpcAddress.port);
  clients.push(client);
}
afterEach(() => {
  for (const one of clients.splice(0)) one.close();
});

/** Incompressible text, so that an archive has many chunks. */
const noise = (i: number, length: number) => {
  let text = "";
  for (let block = 0; text.length < length; block += 1)
    text += createHash("sha512").update(`${i} ${block}`).digest("base64");
  return text.slice(0, length);
};
const fill = async (from: number, count: number, length = 2000) => {
  for (let i = from; i < from + count; i += 1)
    await fixture.put(`n${i}`, { text: noise(i, length) });
};
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const transfersLeft = () => readdirSync(join(fixture.root, "data", "transfers"));
const reasonOf = (error: unknown) => {
  const text = (error as { metadata?: { get(name: string): unknown[] } }).metadata?.get(
    "grpc-status-details-bin",
  )[0];
  return /([A-Z]+(_[A-Z]+)+)/.exec(String(text))?.[1];
};

test("streams a backup with header, chunks and trailer, resumes at an offset over a restart, and restores from a stream", async () => {
  await start();
  await fill(0, 50);
  const before = await fixture.contents();
  const whole = await receiveBackup(client, { chunkBytes: 10_000 });
  expect(whole.header?.transfer?.backup?.documents).toBe(50n);
  expect(whole.trailer).toEqual({
    sizeBytes: BigInt(whole.bytes.length),
    sha256: sha256(whole.bytes),
  });
  const { name = "" } = whole.header?.transfer ?? {};
  const cut = await receiveBackup(client, { transferName: name, chunkBytes: 10_000 }, 2);
  expect(cut.trailer).toBeUndefined();
  await fixture.restart();
  connect();
  const rest = await receiveBackup(client, {
    transferName: name,
    offset: BigInt(cut.bytes.length),
    chunkBytes: 10_000,
  });
  expect(Buffer.concat([cut.bytes, rest.bytes]).equals(whole.bytes)).toBe(true);
  await expect(
    receiveBackup(client, { transferName: name, offset: BigInt(whole.bytes.length + 1) }),
  ).rejects.toMatchObject({ code: status.OUT_OF_RANGE });
  await expect(receiveBackup(client, { transferName: "transfers/none" })).rejects.toMatchObject({
    code: status.NOT_FOUND,
  });

  await fill(0, 3, 10);
  const restored = await sendRestore(client, [
    header({ sizeBytes: BigInt(whole.bytes.length) }),
    chunk(whole.bytes, 0, 5000),
    chunk(whole.bytes, 5000),
    trailer(whole.bytes),
  ]);
  expect(restored.result?.documents).toBe(50n);
  expect(await fixture.contents()).toEqual(before);
  // A stream without a name leaves no transfer.
  expect(
    transfersLeft().filter((file) => !file.startsWith(name.slice("transfers/".length))),
  ).toEqual([]);
});

test("since streams only later versions, and a restore accepts a base with the deltas after it", async () => {
  await start();
  await fill(0, 60);
  const base = await receiveBackup(client, {});
  await fill(60, 3);
  const first = await receiveBackup(client, {
    since: base.header?.transfer?.backup?.manifestSha256 ?? "",
  });
  await fill(63, 3);
  const second = await receiveBackup(client, {
    since: first.header?.transfer?.backup?.manifestSha256 ?? "",
  });
  const all = await fixture.contents();
  expect(first.bytes.length).toBeLessThan(base.bytes.length / 4);
  await expect(receiveBackup(client, { since: "0".repeat(64) })).rejects.toMatchObject({
    code: status.NOT_FOUND,
  });

  const fresh = await hostFixture();
  const other = managementClient(fresh.host.grpcAddress.port);
  clients.push(other);
  const send = (name: string, bytes: Buffer) =>
    sendRestore(other, [
      header({ transferName: `transfers/${name}`, validateOnly: true }),
      chunk(bytes, 0),
      trailer(bytes),
    ]);
  // An archive with a parent is incomplete by itself, which its header states.
  await expect(send("first", first.bytes)).rejects.toMatchObject({ code: status.DATA_LOSS });
  await send("base", base.bytes);
  const last = await sendRestore(other, [
    header({ baseSources: ["transfer:base", "transfer:first"] }),
    chunk(second.bytes, 0),
    trailer(second.bytes),
  ]);
  expect(last.result?.documents).toBe(66n);
  expect(await fresh.contents()).toEqual(all);
});

describe("an interrupted or invalid restore stream changes nothing and reports how to resume", () => {
  let bytes: Buffer;
  beforeEach(async () => {
    await start({ streamIdleMs: 600 });
    await fill(0, 30);
    ({ bytes } = await receiveBackup(client, {}));
    await fill(0, 2, 10);
  });
  const named = (more: object = {}) => header({ transferName: "transfers/up", ...more });
  const committed = () =>
    new Promise<number>((resolve, reject) =>
      client.getTransfer({ name: "transfers/up" }, (error, transfer) =>
        error ? reject(error) : resolve(Number(transfer.committedBytes)),
      ),
    );

  test.each<[string, () => Parameters<typeof sendRestore>[1], number, string, number]>([
    ["no message", () => [], status.INVALID_ARGUMENT, "REQUEST_INVALID", -1],
    ["an empty message", () => [undefined], status.INVALID_ARGUMENT, "REQUEST_INVALID", -1],
    ["no header", () => [chunk(bytes, 0)], status.INVALID_ARGUMENT, "REQUEST_INVALID", -1],
    ["two headers", () => [named(), named()], status.INVALID_ARGUMENT, "REQUEST_INVALID", 0],
    [
      "an invalid name",
      () => [header({ transferName: "transfers/../x" })],
      status.INVALID_ARGUMENT,
      "REQUEST_INVALID",
      -1,
    ],
    [
      "a gap",
      () => [named(), chunk(bytes, 0, 100), chunk(bytes, 200, 100)],
      status.ABORTED,
      "TRANSFER_OFFSET",
      100,
    ],
    [
      "chunks out of order",
      () => [named(), chunk(bytes, 100, 100), chunk(bytes, 0, 100)],
      status.ABORTED,
      "TRANSFER_OFFSET",
      0,
    ],
    [
      "a duplicate with other bytes",
      () => [named(), chunk(bytes, 0, 100), chunk(Buffer.alloc(100), 0)],
      status.DATA_LOSS,
      "TRANSFER_DAMAGED",
      100,
    ],
    [
      "a wrong CRC",
      () => [named(), chunk(bytes, 0, 100), chunk(bytes, 100, 100, 1)],
      status.DATA_LOSS,
      "TRANSFER_DAMAGED",
      100,
    ],
    [
      "a chunk above the limit",
      () => [named(), chunk(Buffer.alloc(9 << 20), 0)],
      status.INVALID_ARGUMENT,
      "REQUEST_INVALID",
      0,
    ],
    [
      "a message after the trailer",
      () => [named(), chunk(bytes, 0), trailer(bytes), chunk(bytes, 0, 1)],
      status.INVALID_ARGUMENT,
      "REQUEST_INVALID",
      -2,
    ],
    [
      "no trailer",
      () => [named(), chunk(bytes, 0)],
      status.FAILED_PRECONDITION,
      "TRANSFER_INCOMPLETE",
      -2,
    ],
    [
      "an early trailer",
      () => [named(), chunk(bytes, 0, 100), trailer(bytes)],
      status.DATA_LOSS,
      "TRANSFER_DAMAGED",
      100,
    ],
    [
      "a trailer with another digest",
      () => [
        named(),
        chunk(bytes, 0),
        { $case: "trailer", value: { sizeBytes: BigInt(bytes.length), sha256: "0".repeat(64) } },
      ],
      status.DATA_LOSS,
      "TRANSFER_DAMAGED",
      -2,
    ],
    [
      "bytes other than an archive",
      () => [named(), chunk(Buffer.from("no archive"), 0), trailer(Buffer.from("no archive"))],
      status.FAILED_PRECONDITION,
      "BACKUP_FOREIGN",
      10,
    ],
    [
      "an unknown index",
      () => [named({ indexLink: "/core/none" }), chunk(bytes, 0), trailer(bytes)],
      status.NOT_FOUND,
      "INDEX_NOT_FOUND",
      -2,
    ],
    [
      "a size above the limit",
      () => [named({ sizeBytes: 1n << 50n })],
      status.RESOURCE_EXHAUSTED,
      "TRANSFER_LIMIT",
      0,
    ],
  ])("%s", async (_name, messages, code, reason, kept) => {
    const before = await fixture.contents();
    const error = await sendRestore(client, messages()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect(reasonOf(error)).toBe(reason);
    expect(await fixture.contents()).toEqual(before);
    // A transfer that received no bytes is removed.
    if (kept <= 0 && kept !== -2)
      expect(transfersLeft().filter((file) => file.startsWith("up"))).toEqual([]);
    else expect(await committed()).toBe(kept === -2 ? bytes.length : kept);
  });

  test("accepts an identical duplicate chunk and rejects an overlapping one", async () => {
    const answer = await sendRestore(client, [
      named(),
      chunk(bytes, 0, 1000),
      chunk(bytes, 0, 1000),
      chunk(bytes, 500, 1000),
      chunk(bytes, 1500),
      trailer(bytes),
    ]);
    expect(answer.result?.documents).toBe(30n);
    // A complete repetition is accepted: a client repeats its stream if the response was lost.
    expect((await sendRestore(client, [named(), trailer(bytes)])).result?.documents).toBe(30n);
  });

  test("resumes the transfer of a disconnected client, also over a restart", async () => {
    // Disconnects once the host has the bytes: a call cancelled earlier may never reach the host, which then has no transfer.
    const arrived = async () => {
      await eventually(async () => (await committed().catch(() => 0)) >= 3000);
    };
    await sendRestore(client, [named(), chunk(bytes, 0, 3000)], arrived).catch(() => {});
    await fixture.restart();
    connect();
    const at = await committed();
    expect(at).toBe(3000);
    const answer = await sendRestore(client, [named(), chunk(bytes, at), trailer(bytes)]);
    expect(answer.result?.documents).toBe(30n);
  });

  test("disconnects a silent client; a new stream takes over its transfer", async () => {
    const begin = () => {
      let call: ReturnType<ManagementServiceClient["streamRestore"]> | undefined;
      const ended = new Promise<unknown>(
        (resolve) => (call = client.streamRestore((error) => resolve(error))),
      );
      call?.write({ message: named() });
      return ended;
    };
    expect(await begin()).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    const takenOver = begin();
    // The host reports nothing about a stream without bytes: this is time for it to arrive.
    await new Promise((done) => setTimeout(done, 100));
    await sendRestore(client, [named(), chunk(bytes, 0), trailer(bytes)]);
    expect(reasonOf(await takenOver)).toBe("TRANSFER_TAKEN_OVER");
  });

  test("rejects a restore during a restore and keeps the result of the first one", async () => {
    const both = await Promise.allSettled([
      sendRestore(client, [named(), chunk(bytes, 0), trailer(bytes)]),
      sendRestore(client, [header(), chunk(bytes, 0), trailer(bytes)]),
    ]);
    const refused = both.filter((one) => one.status === "rejected");
    for (const one of refused) expect(reasonOf(one.reason)).toBe("RESTORE_IN_PROGRESS");
    expect(both.some((one) => one.status === "fulfilled")).toBe(true);
    expect(Object.keys(await fixture.contents())).toHaveLength(30);
  });
});

test("resumes connections cut at many offsets without changing the bytes", async () => {
  await start();
  await fill(0, 40);
  const { bytes, header: begun } = await receiveBackup(client, { store: true, chunkBytes: 16_384 });
  const { name = "" } = begun?.transfer ?? {};
  const pieces: Buffer[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const piece = await receiveBackup(
      client,
      { transferName: name, offset: BigInt(offset), chunkBytes: 16_384 },
      1,
    );
    pieces.push(piece.bytes);
    offset += piece.bytes.length;
  }
  expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
  for (let at = 0; at < bytes.length; at += 16_384) {
    const part = chunk(bytes, at, Math.min(16_384, bytes.length - at));
    await sendRestore(client, [header({ transferName: "transfers/pieces" }), part]).catch(
      (error: unknown) => expect(reasonOf(error)).toBe("TRANSFER_INCOMPLETE"),
    );
  }
  const answer = await sendRestore(client, [
    header({ transferName: "transfers/pieces" }),
    trailer(bytes),
  ]);
  expect(answer.result?.documents).toBe(40n);
});

test("disconnects a client that never reads; another client can read the transfer", async () => {
  await start({ streamIdleMs: 500 });
  await fill(0, 60, 200_000);
  const session = connectHttp2(`http://127.0.0.1:${fixture.host.grpcAddress.port}`);
  const call = session.request({
    ":method": "POST",
    ":path": "/holdfast.management.v1.ManagementService/StreamBackup",
    "content-type": "application/grpc",
    te: "trailers",
  });
  // An empty request; the response fills the flow-control window of the connection.
  call.end(Buffer.alloc(5));
  const held = () => fixture.host.operations.list(1).operations[0]?.done === true;
  await eventually(held);
  // Three times the idle limit of streams.
  await new Promise((done) => setTimeout(done, 1500));
  const ended = new Promise<Record<string, unknown>>((resolve) => call.on("trailers", resolve));
  call.resume();
  expect(await ended).toMatchObject({ "grpc-status": String(status.DEADLINE_EXCEEDED) });
  session.close();
});

test("cancels the archive when its client disconnects, and removes the partial files", async () => {
  await start();
  await fill(0, 20);
  const call = client.streamBackup({
    indexLink: "",
    store: true,
    since: "",
    transferName: "",
    offset: 0n,
    chunkBytes: 0,
  });
  // The point of the backup at which the client disconnects.
  setTimeout(() => call.cancel(), 30);
  await new Promise((done) => call.on("error", done));
  await eventually(() => fixture.host.operations.list(1).operations.every(({ done }) => done));
  const [operation] = fixture.host.operations.list(1).operations;
  if (operation?.error) {
    expect(operation.error.reason).toBe("OPERATION_CANCELLED");
    expect(transfersLeft()).toEqual([]);
  }
});

test("a backup to a transfer is an operation with the transfer as its result, and can be watched until it ends", async () => {
  await start();
  await fill(0, 20);
  const operation = await new Promise<{ name: string }>((resolve, reject) =>
    client.backup(
      BackupRequest.fromPartial({ destination: "transfer:", requestId: "once" }),
      (error, found) => (error ? reject(error) : resolve(found)),
    ),
  );
  const again = await new Promise<{ name: string }>((resolve, reject) =>
    client.backup(
      BackupRequest.fromPartial({ destination: "transfer:", requestId: "once" }),
      (error, found) => (error ? reject(error) : resolve(found)),
    ),
  );
  expect(again.name).toBe(operation.name);
  const seen = [];
  for await (const one of client.watchOperation({ name: operation.name }) as AsyncIterable<{
    done: boolean;
    result?: { $case: string; value: { value: Buffer } };
  }>)
    seen.push(one);
  expect(seen.at(-1)?.done).toBe(true);
  const { backup } = BackupResult.decode(seen.at(-1)?.result?.value.value ?? Buffer.alloc(0));
  const streamed = await receiveBackup(client, {
    transferName: backup?.uri.replace("transfer:", "transfers/") ?? "",
  });
  expect(streamed.trailer?.sha256).toBe(sha256(streamed.bytes));
});
