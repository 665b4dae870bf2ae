import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostFixture } from "../support/host-fixture.js";
import { ask, managementRequest, serve } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

test("keeps results and request ids over a restart, and deletes operations permanently", async () => {
  const fixture = await hostFixture();
  await fixture.put("one", { text: "x" });
  const request = {
    destination: fixture.uri("b"),
    container: "DIRECTORY" as const,
    indexLink: "/core/document-index",
    requestId: "nightly-1",
  };
  const begun = await fixture.host.management.backup(request);
  const done = await fixture.host.operations.wait(begun.name, 60_000);
  await expect(
    fixture.finish(
      fixture.host.management.restore({
        source: fixture.uri("none"),
        indexLink: request.indexLink,
      }),
    ),
  ).rejects.toMatchObject({ reason: "BACKUP_NOT_FOUND" });
  await fixture.restart();
  expect(fixture.host.operations.get(begun.name)).toEqual(done);
  expect((await fixture.host.management.backup(request)).name).toBe(begun.name);
  const [failed] = fixture.host.operations.list(10).operations;
  expect(failed).toMatchObject({
    kind: "restore",
    done: true,
    error: { reason: "BACKUP_NOT_FOUND" },
  });

  await fixture.host.operations.delete(begun.name);
  expect(() => fixture.host.operations.get(begun.name)).toThrow(/not found/);
  // Unknown entries in the directory of operations do not prevent the start, and are kept for examination.
  writeFileSync(join(fixture.root, "data", "operations", "torn.json"), '{"view":');
  await fixture.restart();
  expect(() => fixture.host.operations.get(begun.name)).toThrow(/not found/);
  expect(readdirSync(join(fixture.root, "data", "operations"))).toEqual([
    expect.stringMatching(/^[0-9a-f-]{36}\.json$/),
    "torn.json",
  ]);
});

test("reports operations interrupted by a kill as failed, and accepts them again", async () => {
  const root = temporaryDirectory();
  const data = ["--data-dir", join(root, "data")];
  const host = await serve(data);
  for (let i = 0; i < 20; i += 1) await ask(`${host.url}/core/examples`, "POST", { name: `n${i}` });
  // A lease of another owner makes the backup wait.
  const destination = join(root, "b.zip");
  writeFileSync(`${destination}.lease`, JSON.stringify({ owner: "another", beat: 0 }));
  const request = { destination: `file:${destination}`, requestId: "again" };
  const { body } = await ask(`${host.url}/v1/backups`, "POST", request);
  await host.stop("SIGKILL");
  const next = await serve(data);
  const after = await ask(`${next.url}/v1/${String(body["name"])}`);
  expect(after.body).toMatchObject({
    done: true,
    error: { code: 10, details: [expect.objectContaining({ reason: "OPERATION_INTERRUPTED" })] },
  });
  const again = await ask(`${next.url}/v1/backups`, "POST", request);
  expect(again.body["name"]).not.toBe(body["name"]);
  await ask(`${next.url}/v1/${String(again.body["name"])}:cancel`, "POST", {});
  const deleted = await ask(`${next.url}/v1/${String(body["name"])}`, "DELETE");
  expect(deleted.status).toBe(200);
  expect((await ask(`${next.url}/v1/${String(body["name"])}`)).status).toBe(404);
});

test("honours Prefer: wait and respond-async in the dialect and in /v1", async () => {
  const fixture = await hostFixture();
  await fixture.put("one", { text: "x" });
  const url = `http://127.0.0.1:${fixture.host.httpAddress.port}`;
  const send = async (path: string, method: string, body: object, prefer: string) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { "content-type": "application/json", prefer },
      body: JSON.stringify(body),
    });
    const { headers, status } = response;
    return {
      status,
      location: headers.get("location"),
      retryAfter: headers.get("retry-after"),
      applied: headers.get("preference-applied"),
      body: (await response.json()) as Record<string, unknown>,
    };
  };
  const accepted = {
    status: 202,
    location: expect.stringMatching(/^\/v1\/operations\/[0-9a-f-]+$/) as string,
    retryAfter: "1",
  };
  const held = join(fixture.root, "held.zip");
  writeFileSync(`${held}.lease`, JSON.stringify({ owner: "another", beat: 0 }));
  const dialect = (name: string) =>
    managementRequest("Backup", { destination: fixture.uri(name), backupType: "ZIP" });

  expect(await send("/core/management", "PATCH", dialect("a.zip"), "respond-async")).toMatchObject({
    ...accepted,
    applied: "respond-async",
  });
  expect(
    await send("/core/management", "PATCH", dialect("b.zip"), "respond-async, wait=30"),
  ).toMatchObject({ status: 200, location: null, applied: "wait=30" });
  expect(await send("/core/management", "PATCH", dialect("held.zip"), "wait=1")).toMatchObject({
    ...accepted,
    applied: "wait=1",
  });
  expect(
    await send("/v1/backups", "POST", { destination: fixture.uri("c.zip") }, "wait=30"),
  ).toMatchObject({ status: 200, applied: "wait=30", body: { done: true } });
  expect(
    await send("/v1/backups", "POST", { destination: fixture.uri("d.zip") }, "respond-async"),
  ).toMatchObject({ ...accepted, applied: "respond-async", body: { done: false } });
  const late = await send(
    "/v1/backups",
    "POST",
    { destination: fixture.uri("held.zip") },
    "wait=0",
  );
  expect(late).toMatchObject({ ...accepted, body: { done: false } });
  for (const { name, done } of fixture.host.operations.list(100).operations)
    if (!done) await fixture.host.operations.cancel(name);
  expect((await ask(`${url}${String(late.location)}`)).body).toMatchObject({
    done: true,
    error: { code: 1 },
  });
});
