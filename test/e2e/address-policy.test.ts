import { httpStore } from "../support/http-store.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { transferFixture } from "../support/transfer-fixture.js";

const exposed = () => ({
  httpHost: "0.0.0.0",
  tokens: "t admin\n",
  backupRoots: [temporaryDirectory()],
});

test("a host on a public address connects to loopback addresses only if they are named, whether given by number, name or redirect", async () => {
  const store = await httpStore();
  const fixture = await transferFixture(undefined, exposed());
  for (const name of [
    "127.0.0.1",
    "localhost",
    "[::ffff:127.0.0.1]",
    "127.1",
    "0x7f.0.0.1",
    "2130706433",
    "0.0.0.0",
  ]) {
    await expect(fixture.backupTo(`http://${name}:${store.port}/b.zip`)).rejects.toMatchObject({
      reason: "ADDRESS_NOT_ALLOWED",
    });
    await expect(fixture.restoreFrom(`http://${name}:${store.port}/b.zip`)).rejects.toMatchObject({
      reason: "ADDRESS_NOT_ALLOWED",
    });
  }
  expect(store.requests).toEqual([]);
  expect(fixture.leftovers()).toEqual([]);
  await fixture.restart({ allowDestinations: [`localhost:${store.port}`] });
  await fixture.backupTo(`http://localhost:${store.port}/b.zip`);
  await expect(fixture.backupTo(`http://127.0.0.1:${store.port}/b.zip`)).rejects.toMatchObject({
    reason: "ADDRESS_NOT_ALLOWED",
  });
  await fixture.restoreFrom(`http://localhost:${store.port}/b.zip`);
});

test("never connects to a metadata service, directly or by a redirect", async () => {
  const fixture = await transferFixture(undefined, { allowDestinations: ["169.254.169.254"] });
  for (const name of ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:a9fe:a9fe]"]) {
    await expect(fixture.restoreFrom(`http://${name}/latest/meta-data`)).rejects.toMatchObject({
      reason: "ADDRESS_NOT_ALLOWED",
      message: expect.stringContaining("never connects to such addresses") as string,
    });
  }
});

test("rejects an invalid URI before the operation starts", async () => {
  const fixture = await transferFixture();
  await expect(fixture.backupTo("http://me:hunter2@127.0.0.1/b.zip")).rejects.toMatchObject({
    reason: "DESTINATION_INVALID",
    message: expect.not.stringContaining("hunter2") as string,
  });
  await expect(fixture.backupTo("http:///b.zip")).rejects.toMatchObject({
    reason: "DESTINATION_INVALID",
  });
  await expect(
    fixture.backupTo("http://127.0.0.1:9/b.zip", { bearer: "a\r\nx: y" }),
  ).rejects.toMatchObject({
    reason: "REQUEST_INVALID",
    message: expect.not.stringContaining("x: y") as string,
  });
  expect(fixture.host.operations.list(10).operations).toEqual([]);
});
