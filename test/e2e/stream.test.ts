import { readdirSync } from "node:fs";
import { join } from "node:path";
import { answerWith, httpStore } from "../support/http-store.js";
import { hostFixture } from "../support/host-fixture.js";
import { ask, managementRequest } from "../support/served-host.js";

const left = (root: string) => readdirSync(join(root, "data", "temporary"));

test("backs up to a store through PATCH /core/management and restores the former documents from it", async () => {
  const store = await httpStore();
  const fixture = await hostFixture();
  for (let i = 0; i < 200; i += 1) await fixture.put(`d${i}`, { i, pad: "x".repeat(i) });
  const before = await fixture.contents();
  const { port } = fixture.host.httpAddress;
  const manage = (kind: "Backup" | "Restore", fields: object) =>
    ask(`http://127.0.0.1:${port}/core/management`, "PATCH", managementRequest(kind, fields));
  const destination = `${store.origin}/a%20b%2Fc/big.zip?key=1&x=%20`;

  const backup = await manage("Backup", { destination, backupType: "ZIP", bearer: "very-secret" });
  expect(backup).toEqual({
    status: 200,
    body: expect.objectContaining({
      destination,
      backupType: "STREAM",
      indexServiceLink: "/core/document-index",
      backupServiceLink: "/core/document-index-backup",
    }) as unknown,
  });
  expect(JSON.stringify(backup.body)).not.toContain("very-secret");
  const [first] = store.requests;
  expect(first).toMatchObject({
    method: "PUT",
    url: "/a%20b%2Fc/big.zip?key=1&x=%20",
    headers: {
      host: `127.0.0.1:${store.port}`,
      "content-type": "application/octet-stream",
      authorization: "Bearer very-secret",
    },
  });
  // The archive fits into one request: servers without partial PUT refuse a Content-Range.
  expect(first?.headers["content-range"]).toBeUndefined();
  expect(store.requests.at(-1)).toMatchObject({ method: "GET" });

  await fixture.put("d1", { changed: true });
  await fixture.host.documents.delete("/things/d2");
  expect(await manage("Restore", { destination, bearer: "very-secret" })).toMatchObject({
    status: 200,
    body: { destination },
  });
  expect(await fixture.contents()).toEqual(before);
  expect(JSON.stringify(fixture.host.operations.list(10))).not.toContain("very-secret");
  expect(left(fixture.root)).toEqual([]);
});

test("describes, lists and verifies a backup at a store like one in a file", async () => {
  const store = await httpStore();
  const fixture = await hostFixture();
  await fixture.put("a", {});
  const destination = `${store.origin}/b.zip`;
  const made = await fixture.finish(
    fixture.host.management.backup({
      destination,
      container: "STREAM",
      indexLink: "/core/document-index",
    }),
  );
  expect(made).toMatchObject({
    verified: true,
    warnings: [],
    backup: { uri: destination, container: "STREAM", documents: 1 },
  });
  const { management } = fixture.host;
  expect(await management.describeBackup(destination)).toEqual((made as { backup: object }).backup);
  expect(await management.listBackups(destination)).toMatchObject([
    { state: "COMPLETE", backup: { container: "STREAM", uri: destination } },
  ]);
  expect(await fixture.finish(management.verifyBackup(destination))).toMatchObject({ records: 1 });
  expect(left(fixture.root)).toEqual([]);
});

test("over /v1 sends the bearer token and never returns it; verify reports a store without read access", async () => {
  const store = await httpStore();
  const fixture = await hostFixture();
  await fixture.put("a", {});
  const url = `http://127.0.0.1:${fixture.host.httpAddress.port}`;
  const backup = async (fields: object) => {
    const { body } = await ask(`${url}/v1/backups`, "POST", {
      destination: `${store.origin}/b.zip?sig=hunter2`,
      bearer: "very-secret",
      ...fields,
    });
    const done = (await ask(`${url}/v1/${String(body["name"])}:wait`, "POST", {})).body;
    expect(JSON.stringify([body, done])).not.toMatch(/very-secret|hunter2/);
    return done;
  };
  expect(await backup({ verify: true })).toMatchObject({
    done: true,
    response: { verified: true, backup: { container: "CONTAINER_STREAM" } },
  });
  expect(
    store.requests.every(
      ({ headers, url: target }) =>
        headers.authorization === "Bearer very-secret" && target.endsWith("?sig=hunter2"),
    ),
  ).toBe(true);
  store.fault = answerWith("GET", 403);
  expect(await backup({ verify: true })).toMatchObject({
    error: { message: expect.stringContaining("403") as string },
  });
  const unread = await backup({});
  expect(unread).toMatchObject({
    response: { warnings: [expect.stringContaining("403") as string] },
  });
  expect((unread["response"] as { verified?: boolean }).verified ?? false).toBe(false);
});
