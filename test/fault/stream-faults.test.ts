import { status } from "@grpc/grpc-js";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemPlatform } from "../../src/io/platform.js";
import { eventually } from "../support/eventually.js";
import { faultyFileSystem, type FaultKind } from "../support/faulty-file-system.js";
import { hostFixture } from "../support/host-fixture.js";
import { ask, serve } from "../support/served-host.js";
import {
  chunk,
  header,
  managementClient,
  receiveBackup,
  sendRestore,
  trailer,
} from "../support/stream-client.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const load = async (url: string, count: number) => {
  const body = Array.from(
    { length: count },
    (_, i) => `{"documentSelfLink":"n${i}","name":"${String(i).repeat(200)}"}\n`,
  ).join("");
  await fetch(`${url}/v1/documents:import?factory_link=/core/examples`, {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body,
  });
};
const documentsOf = async (url: string) =>
  (await (await fetch(`${url}/v1/documents:export?factory_link=/core/examples`)).text())
    .split("\n")
    .sort();
const portOf = (address: string) => Number(address.split(":").at(-1));

test("resumes interrupted streams in both directions after a kill, and changes the index only when a restore is complete", async () => {
  const root = temporaryDirectory();
  const data = ["--data-dir", join(root, "data")];
  let host = await serve(data);
  await load(host.url, 500);
  const before = await documentsOf(host.url);
  let client = managementClient(portOf(host.grpc));
  const whole = await receiveBackup(client, { store: true, chunkBytes: 20_000 });
  const { name = "" } = whole.header?.transfer ?? {};
  const part = await receiveBackup(client, { transferName: name, chunkBytes: 20_000 }, 3);
  await ask(`${host.url}/core/examples`, "POST", { name: "later", documentSelfLink: "later" });
  const changed = await documentsOf(host.url);
  const half = Math.floor(whole.bytes.length / 2);
  // The host has written the bytes, but not synced them: so few are synced at the end only.
  const received = async () => {
    const data = join(root, "data", "transfers", "up.bin");
    await eventually(() => existsSync(data) && statSync(data).size === half);
  };
  await expect(
    sendRestore(
      client,
      [header({ transferName: "transfers/up" }), chunk(whole.bytes, 0, half)],
      received,
    ),
  ).rejects.toMatchObject({ code: status.CANCELLED });
  await host.stop("SIGKILL");
  client.close();

  host = await serve(data);
  client = managementClient(portOf(host.grpc));
  expect(await documentsOf(host.url)).toEqual(changed);
  const rest = await receiveBackup(client, {
    transferName: name,
    offset: BigInt(part.bytes.length),
    chunkBytes: 20_000,
  });
  expect(Buffer.concat([part.bytes, rest.bytes]).equals(whole.bytes)).toBe(true);
  const { body } = await ask(`${host.url}/v1/transfers/up`);
  const committed = Number(body["committedBytes"]);
  expect(committed).toBeLessThanOrEqual(half);
  const answer = await sendRestore(client, [
    header({ transferName: "transfers/up" }),
    chunk(whole.bytes, committed),
    trailer(whole.bytes),
  ]);
  expect(answer.result?.documents).toBe(500n);
  expect(
    (await documentsOf(host.url)).map((line) => line.replace(/"documentOwner".*/, "")),
  ).toEqual(before.map((line) => line.replace(/"documentOwner".*/, "")));
  client.close();
});

test.each<[FaultKind, string]>([
  ["write", "ENOSPC"],
  ["sync", "EIO"],
  ["create", "EACCES"],
  ["rename", "EIO"],
])(
  "a disk that fails at %s (%s) fails the stream but not the host, leaves the index unchanged, and the next stream succeeds",
  async (kind, errno) => {
    const files = faultyFileSystem();
    const fixture = await hostFixture({ platform: { ...systemPlatform, files } });
    for (let i = 0; i < 20; i += 1) await fixture.put(`n${i}`, { text: "x".repeat(3000) });
    const client = managementClient(fixture.host.grpcAddress.port);
    const { bytes } = await receiveBackup(client, { store: true });
    await fixture.put("n0", { text: "changed" });
    const before = await fixture.contents();
    let struck = 0;
    for (let nth = 1; nth <= 40; nth += 1) {
      files.arm(kind, nth, errno);
      const messages = [
        header({ transferName: "transfers/up" }),
        chunk(bytes, 0, 10_000),
        chunk(bytes, 10_000),
        trailer(bytes),
      ];
      const outcome = await sendRestore(client, messages).then(
        () => "restored",
        (error: { code: number }) => error.code,
      );
      if (!files.disarm()) {
        await fixture.host.streams.transfers.delete("up");
        await fixture.put("n0", { text: "changed" });
        break;
      }
      struck += 1;
      // The stream failed without a change, or the fault had no effect and the restore is complete.
      const now = await fixture.contents();
      if (outcome === "restored") expect(now["n0"]).not.toBe(before["n0"]);
      else expect([0, 7, 8, 13, 14]).toContain(outcome);
      if (outcome === "restored") await fixture.put("n0", { text: "changed" });
      else expect(now).toEqual(before);
      await fixture.host.streams.transfers.delete("up").catch(() => {});
    }
    expect(struck).toBeGreaterThan(0);
    expect(
      (await sendRestore(client, [header(), chunk(bytes, 0), trailer(bytes)])).result?.documents,
    ).toBe(20n);
    client.close();
    expect(
      readdirSync(join(fixture.root, "data", "transfers")).filter((file) => file.startsWith("up")),
    ).toEqual([]);
  },
);
