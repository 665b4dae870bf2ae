import { startDialectHost, type DialectHost } from "../../../test/support/dialect-host.js";
import { settled } from "../../../test/support/settled.js";
import { eventually } from "../../../test/support/eventually.js";

interface ListingBody {
  totalCount?: number;
  documentLinks: string[];
  documents?: Record<string, { name: string; documentSelfLink: string }>;
  documentCount: number;
  nextPageLink?: string;
}

let host: DialectHost;
beforeEach(async () => {
  host = await startDialectHost();
});
afterEach(() => host.server.close(0));

const fill = async (count: number) => {
  for (let i = 0; i < count; i += 1) {
    await host.documents.create(
      "/core/examples",
      JSON.stringify({
        name: `n${i}`,
        documentSelfLink: `d${String(i).padStart(5, "0")}`,
        counter: i,
      }),
    );
  }
};
const list = async (path: string) => {
  const answer = await host.call("GET", path);
  expect(answer.status).toBe(200);
  return JSON.parse(answer.text) as ListingBody;
};
const links = async (query: string) =>
  (await list(`/core/examples?${query}`)).documentLinks.map((link) =>
    link.slice("/core/examples/d0000".length),
  );

describe("a listing that fits into a page", () => {
  test("equals Xenon's response except for the query time", async () => {
    const shape = (text: string) => text.replace(/"queryTimeMicros":\d+/, '"queryTimeMicros":1');
    const end =
      '"queryTimeMicros":1,"documentVersion":0,"documentUpdateTimeMicros":0,"documentExpirationTimeMicros":0,"documentOwner":"host-1"}';
    expect(shape((await host.call("GET", "/core/examples")).text)).toBe(
      `{"documentLinks":[],"documentCount":0,${end}`,
    );
    expect(shape((await host.call("GET", "/core/examples?expand")).text)).toBe(
      `{"documentLinks":[],"documents":{},"documentCount":0,${end}`,
    );
    await fill(2);
    const one = (await host.call("GET", "/core/examples/d00000")).text;
    expect(
      shape((await host.call("GET", "/core/examples?$filter=name%20eq%20'n0'&expand")).text),
    ).toBe(
      `{"totalCount":1,"documentLinks":["/core/examples/d00000"],"documents":{"/core/examples/d00000":${one}},"documentCount":1,${end}`,
    );
    expect(shape((await host.call("GET", "/core/examples?$count=true")).text)).toBe(
      `{"totalCount":2,"documentLinks":[],"documentCount":2,${end}`,
    );
    expect(shape((await host.call("GET", "/core/examples?$limit=1")).text)).toMatch(
      /^\{"totalCount":1,"documentLinks":\["\/core\/examples\/d00000"\],"documentCount":1,"nextPageLink":"\/core\/examples\?path=[\w-]+&peer=host-1","queryTimeMicros"/,
    );
  });

  test("filters, orders and counts", async () => {
    await fill(5);
    expect(await links("$filter=counter%20ge%203")).toEqual(["3", "4"]);
    expect(await links("$filter=counter+ge+3+and+name+ne+'n4'")).toEqual(["3"]);
    expect(await links("$orderby=counter%20desc&$top=2")).toEqual(["4", "3"]);
    expect((await list("/core/examples?$count=true&$filter=counter%20lt%202")).totalCount).toBe(2);
    expect(
      (await list("/core/examples?$expand=*")).documents?.["/core/examples/d00001"]?.name,
    ).toBe("n1");
  });

  test("rejects unsupported parameters", async () => {
    for (const query of [
      "$filter=name%20is%20'x'",
      "$limit=0",
      "$limit=x",
      "$top=-1",
      "$skip=5",
      "$select=name",
      "$orderby=,",
      "path=x",
      "path=W10",
      "$filter=%zz",
    ]) {
      expect({ query, status: (await host.call("GET", `/core/examples?${query}`)).status }).toEqual(
        { query, status: 400 },
      );
    }
    expect((await host.call("GET", "/core/examples?$filter=name%20is%20'x'")).text).toMatch(
      /\$filter at position 6/,
    );
  });
});

describe("pages", () => {
  async function walk(path: string): Promise<{ names: string[]; pages: number }> {
    const names: string[] = [];
    let pages = 0;
    for (let next: string | undefined = path; next !== undefined; pages += 1) {
      const page: ListingBody = await list(next);
      names.push(...page.documentLinks.map((link) => page.documents?.[link]?.name ?? link));
      next = page.nextPageLink;
    }
    return { names, pages };
  }

  test("keep filter, order, expansion and page size until the end", async () => {
    await fill(7);
    expect(
      await walk("/core/examples?$limit=2&expand&$filter=counter%20gt%200&$orderby=counter%20desc"),
    ).toEqual({
      names: ["n6", "n5", "n4", "n3", "n2", "n1"],
      pages: 3,
    });
    expect(
      (await walk("/core/examples?$limit=2&$top=3&expand&$orderby=counter%20desc")).names,
    ).toEqual(["n6", "n5", "n4"]);
  });

  test("show the index at the time of the first page", async () => {
    await fill(4);
    const first = await list("/core/examples?$limit=2");
    await fill(0);
    await host.documents.create("/core/examples", '{"name":"late","documentSelfLink":"d00003a"}');
    await host.documents.delete("/core/examples/d00003");
    const second = await list(first.nextPageLink ?? "");
    expect(second.documentLinks).toEqual(["/core/examples/d00002", "/core/examples/d00003"]);
    expect(second.nextPageLink).toBeUndefined();
  });

  test("are rejected with a conflict after a restore of the index", async () => {
    await fill(4);
    const { nextPageLink } = await list("/core/examples?$limit=2");
    host.lineages.set("/core/document-index", "lineage-2");
    const answer = await host.call("GET", nextPageLink ?? "");
    expect(answer.status).toBe(409);
    expect(answer.text).toMatch(/restored since/);
  });

  test("are rejected for another factory", async () => {
    await fill(4);
    const { nextPageLink = "" } = await list("/core/examples?$limit=2");
    expect((await host.call("GET", nextPageLink.replace("/core/examples", "/things"))).status).toBe(
      400,
    );
  });
});

describe("a listing larger than a page", () => {
  test("contains every document once, in the same format", async () => {
    await fill(2500);
    const all = await list("/core/examples");
    expect(all.documentLinks).toHaveLength(2500);
    expect(new Set(all.documentLinks).size).toBe(2500);
    expect(all.documentCount).toBe(2500);
    const expanded = await list("/core/examples?expand&$filter=counter%20ge%20100");
    expect(expanded.documentLinks).toHaveLength(2400);
    expect(Object.keys(expanded.documents ?? {})).toEqual(expanded.documentLinks);
    expect(expanded.totalCount).toBe(2400);
    expect(expanded.documentCount).toBe(2400);
    expect((await list("/core/examples?$top=1500&expand")).documentCount).toBe(1500);
    expect(
      Object.keys((await list("/core/examples?$top=1500&expand")).documents ?? {}),
    ).toHaveLength(1500);
  });

  test("has the same links and documents despite concurrent writes", async () => {
    await fill(1500);
    const page = host.store.page.bind(host.store);
    let pages = 0;
    host.store.page = async (query) => {
      pages += 1;
      await host.documents.create(
        "/core/examples",
        JSON.stringify({ name: "late", documentSelfLink: `a${pages}` }),
      );
      return page(query);
    };
    const expanded = await list("/core/examples?expand");
    expect(Object.keys(expanded.documents ?? {})).toEqual(expanded.documentLinks);
    expect(pages).toBeGreaterThan(4);
  });

  test("is not read ahead while the client does not read", async () => {
    for (let i = 0; i < 3000; i += 1) {
      await host.documents.create(
        "/things",
        JSON.stringify({ documentSelfLink: `t${i}`, text: "x".repeat(5000) }),
      );
    }
    const page = host.store.page.bind(host.store);
    let pages = 0;
    host.store.page = (query) => {
      pages += 1;
      return page({ ...query, limit: Math.min(query.limit, 100) });
    };
    const { socket, closed } = await host.dial();
    socket.pause();
    socket.write("GET /things?expand HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await eventually(() => pages > 0);
    const readAhead = await settled(() => pages);
    // In total there are 30 pages of links and 30 of documents.
    expect(readAhead).toBeLessThan(55);
    socket.destroy();
    await closed;
    // Time in which further pages would be read.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(pages).toBeLessThanOrEqual(readAhead + 1);
  });

  test("closes the connection instead of sending a short response when the index is switched", async () => {
    await fill(2500);
    const page = host.store.page.bind(host.store);
    host.store.page = (query) => {
      if (query.cursor !== undefined) host.lineages.set("/core/document-index", "lineage-2");
      return page(query);
    };
    await expect(host.call("GET", "/core/examples")).rejects.toThrow(/aborted|hang up|reset/i);
  });
});
