import { startDialectHost } from "../../../test/support/dialect-host.js";

let host: Awaited<ReturnType<typeof startDialectHost>>;
beforeAll(async () => {
  host = await startDialectHost();
});
afterAll(() => host.server.close());

const url = () => `http://127.0.0.1:${host.port}`;

const get = async (path: string, headers = {}) =>
  JSON.parse((await host.call("GET", path, undefined, headers)).text) as Record<string, never>;

test("the node group has this host as its only member, with the address used by the client", async () => {
  const node = {
    status: "AVAILABLE",
    id: "host-1",
    membershipQuorum: 1,
    groupReference: `${url()}/core/node-groups/default`,
  };
  expect(await get("/core/node-groups/default")).toMatchObject({
    nodes: { "host-1": node },
    documentOwner: "host-1",
  });
  expect(await get("/core/node-groups")).toMatchObject({
    documentLinks: ["/core/node-groups/default"],
  });
  const named = await get("/core/node-groups/default", { host: "holdfast.test:81" });
  expect(named).toMatchObject({
    nodes: { "host-1": { groupReference: "http://holdfast.test:81/core/node-groups/default" } },
  });
  // Xenon's client omits the port.
  expect(await get("/core/node-groups/default", { host: "holdfast.test" })).toMatchObject({
    nodes: {
      "host-1": { groupReference: `http://holdfast.test:${host.port}/core/node-groups/default` },
    },
  });
});

test("every link belongs to this host", async () => {
  expect(await get("/core/node-selectors/default")).toMatchObject({
    status: "AVAILABLE",
    nodeGroupLink: "/core/node-groups/default",
  });
  const answer = await host.call("POST", "/core/node-selectors/default", { key: "/core/examples" });
  expect(JSON.parse(answer.text)).toMatchObject({
    key: "/core/examples",
    ownerNodeId: "host-1",
    isLocalHostOwner: true,
    selectedNodes: [{ id: "host-1" }],
  });
});

test.each([
  ["POST", "/core/node-selectors/default", {}, 400, /key is required/],
  ["POST", "/core/node-selectors/default", "", 400, /body is required/],
  [
    "POST",
    "/core/node-selectors/default",
    { key: "a", targetPath: "/core/management" },
    400,
    /Forwarding is not supported/,
  ],
  ["PATCH", "/core/node-groups/default", {}, 405, /not supported/],
  ["DELETE", "/core/node-selectors/default", undefined, 405, /not supported/],
])("rejects %s %s %j", async (method, path, body, status, message) => {
  const answer = await host.call(method, path, body);
  expect(answer.status).toBe(status);
  expect(answer.text).toMatch(message);
});

test("requires the role read", async () => {
  const guarded = await startDialectHost({ tokens: "filer-token files\nreader-token read\n" });
  try {
    for (const path of [
      "/core/node-groups",
      "/core/node-groups/default",
      "/core/node-selectors/default",
    ]) {
      expect((await guarded.call("GET", path)).status).toBe(401);
      expect(
        (await guarded.call("GET", path, undefined, { authorization: "Bearer filer-token" }))
          .status,
      ).toBe(403);
      expect(
        (await guarded.call("GET", path, undefined, { authorization: "Bearer reader-token" }))
          .status,
      ).toBe(200);
    }
  } finally {
    await guarded.server.close();
  }
});
