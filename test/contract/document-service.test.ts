import { HostError } from "../../src/errors.js";
import { createBodyReader } from "../../src/service/documents/body-reader.js";
import { Documents } from "../../src/service/documents/documents.js";
import {
  defaultFactories,
  durableIndexLink,
  factoryTable,
  inMemoryIndexLink,
} from "../../src/service/documents/factories.js";
import { createFakeStore } from "../support/fake-store.js";

function start() {
  const store = createFakeStore();
  const state = { lineage: "l1", ids: 0 };
  const indexOf = (link: string) => {
    if (link === inMemoryIndexLink)
      throw new HostError("INDEX_NOT_FOUND", `Index ${link} not found`, { metadata: { link } });
    return store;
  };
  const bodies = createBodyReader();
  const service = new Documents({
    factories: [
      ...defaultFactories,
      { path: "/things", kind: "acme:Thing", indexLink: durableIndexLink },
    ],
    indexOf,
    readerOf: (link) => ({ ...indexOf(link), lineage: () => state.lineage }),
    hostId: "host-1",
    newId: () => `id-${(state.ids += 1)}`,
    readBody: bodies.read,
    compareBodies: bodies.compare,
  });
  return { store, state, service };
}

const reasonOf = (work: Promise<unknown>) =>
  work.then(
    () => "fine",
    (error: HostError) => error.reason,
  );

describe("writes", () => {
  test("sets the owner to the host, the kind to that of the factory, and generates a link", async () => {
    const { service } = start();
    expect(
      await service.create("/things", '{"documentKind":"other","documentOwner":"me","a":1}'),
    ).toMatchObject({
      link: "/things/id-1",
      kind: "acme:Thing",
      owner: "host-1",
      version: 0,
      action: "POST",
      body: '{"a":1}',
    });
    expect((await service.create("/things", "")).link).toBe("/things/id-2");
  });

  test("honours an expected version", async () => {
    const { service } = start();
    await service.create("/things", '{"documentSelfLink":"a"}');
    expect(await reasonOf(service.patch("/things/a", "{}", { expectedVersion: 1 }))).toBe(
      "VERSION_MISMATCH",
    );
    expect((await service.patch("/things/a", "{}", { expectedVersion: 0 })).version).toBe(1);
    expect(await reasonOf(service.delete("/things/a", { expectedVersion: 0 }))).toBe(
      "VERSION_MISMATCH",
    );
  });

  test("distinguishes missing, deleted, existing and invalid links", async () => {
    const { service } = start();
    await service.create("/things", '{"documentSelfLink":"a"}');
    await service.create("/things", '{"documentSelfLink":"gone"}');
    await service.delete("/things/gone");
    expect(await service.delete("/things/gone")).toBeUndefined();
    expect(await reasonOf(service.create("/nowhere", "{}"))).toBe("ROUTE_NOT_FOUND");
    expect(await reasonOf(service.create("/things", '{"documentSelfLink":"a"}'))).toBe(
      "DOCUMENT_EXISTS",
    );
    expect(await reasonOf(service.create("/things", '{"documentSelfLink":"gone"}'))).toBe(
      "DOCUMENT_MARKED_DELETED",
    );
    expect(
      (await service.create("/things", '{"documentSelfLink":"gone"}', { revive: true })).version,
    ).toBe(2);
    expect(await reasonOf(service.create("/things", '{"documentSelfLink":"a/../b"}'))).toBe(
      "LINK_INVALID",
    );
    expect(await reasonOf(service.get("/things/b"))).toBe("DOCUMENT_NOT_FOUND");
    expect(await reasonOf(service.get("/elsewhere/b"))).toBe("DOCUMENT_NOT_FOUND");
    expect(await reasonOf(service.patch("/things/b", "{}"))).toBe("DOCUMENT_NOT_FOUND");
    expect(await reasonOf(service.replace("/things/a", "[]"))).toBe("JSON_INVALID");
    expect(await reasonOf(service.get("/core/in-memory-examples/x"))).toBe("INDEX_NOT_FOUND");
  });

  test("rejects a document above the size limit and accepts one of exactly the limit", async () => {
    const { service } = start();
    const sized = (bytes: number) => `{"a":"${"é".repeat((bytes - 8) / 2)}"}`;
    expect(await reasonOf(service.create("/things", sized(16 * 1024 * 1024)))).toBe("fine");
    expect(await reasonOf(service.create("/things", sized(16 * 1024 * 1024 + 2)))).toBe(
      "BODY_TOO_LARGE",
    );
  });
});

describe("versions", () => {
  test("are listed newest first and read by number", async () => {
    const { service } = start();
    await service.create("/things", '{"documentSelfLink":"a","n":0}');
    for (let n = 1; n < 5; n += 1) await service.patch("/things/a", `{"n":${n}}`);
    expect((await service.listVersions("/things/a", 2)).map((one) => one.version)).toEqual([4, 3]);
    expect((await service.listVersions("/things/a", 9, 2)).map((one) => one.version)).toEqual([
      1, 0,
    ]);
    expect(await service.listVersions("/things/a", 9, 0)).toEqual([]);
    expect(await reasonOf(service.listVersions("/things/b", 9))).toBe("DOCUMENT_NOT_FOUND");
    expect((await service.getVersion(durableIndexLink, "/things/a", 2)).body).toBe('{"n":2}');
    expect(await reasonOf(service.getVersion(durableIndexLink, "/things/a", 9))).toBe(
      "VERSION_NOT_FOUND",
    );
    expect(await reasonOf(service.getVersion(durableIndexLink, "/things/b", 0))).toBe(
      "DOCUMENT_NOT_FOUND",
    );
  });
});

describe("page tokens", () => {
  async function filled() {
    const parts = start();
    for (let n = 0; n < 5; n += 1)
      await parts.service.create("/things", `{"documentSelfLink":"t${n}","n":${n}}`);
    return parts;
  }

  test("continue a listing, also with another page size", async () => {
    const { service } = await filled();
    const request = { factoryPath: "/things", filter: "n gt 0", expand: false };
    const first = await service.list({ ...request, limit: 1 });
    const second = await service.list({
      ...request,
      limit: 10,
      pageToken: first.nextPageToken ?? "",
    });
    expect([...first.documents, ...second.documents].map((one) => one.link)).toEqual([
      "/things/t1",
      "/things/t2",
      "/things/t3",
      "/things/t4",
    ]);
    expect(second.nextPageToken).toBeUndefined();
    expect(await service.count("/things", "n gt 0")).toBe(4);
  });

  test("are rejected in other requests, and so are forged ones", async () => {
    const { service } = await filled();
    const { nextPageToken: pageToken = "" } = await service.list({
      factoryPath: "/things",
      limit: 1,
      expand: false,
    });
    const next = (change: object) =>
      reasonOf(
        service.list({ factoryPath: "/things", limit: 1, expand: false, pageToken, ...change }),
      );
    expect(await next({})).toBe("fine");
    expect(await next({ filter: "n gt 0" })).toBe("PAGE_TOKEN_INVALID");
    expect(await next({ orderBy: "n" })).toBe("PAGE_TOKEN_INVALID");
    expect(await next({ factoryPath: "/core/examples" })).toBe("PAGE_TOKEN_INVALID");
    for (const made of ["", "x", "W10", Buffer.from("[1,2,3]").toString("base64url")])
      expect(await next({ pageToken: made })).toBe("PAGE_TOKEN_INVALID");
    expect(await next({ limit: 0 })).toBe("REQUEST_INVALID");
  });

  test("expire with the lineage that issued them", async () => {
    const { service, state } = await filled();
    const { nextPageToken: pageToken = "" } = await service.list({
      factoryPath: "/things",
      limit: 1,
      expand: false,
    });
    state.lineage = "l2";
    expect(
      await reasonOf(service.list({ factoryPath: "/things", limit: 1, expand: false, pageToken })),
    ).toBe("INDEX_SWITCHED");
  });
});

test("a link belongs to its innermost factory", () => {
  const table = factoryTable([
    { path: "/a", kind: "outer", indexLink: "i" },
    { path: "/a/b", kind: "inner", indexLink: "i" },
  ]);
  expect(table.of("/a/x")?.kind).toBe("outer");
  expect(table.of("/a/b/x/y")?.kind).toBe("inner");
  expect(table.of("/a/b")?.kind).toBe("outer");
  expect(table.of("/ab/x")).toBeUndefined();
});
