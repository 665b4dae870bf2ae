import { utimesSync } from "node:fs";
import { HostError } from "../../src/errors.js";
import {
  answerWith,
  breakBody,
  httpStore,
  resetPut,
  stall,
  type Fault,
  type HttpStore,
  type StoreManners,
} from "../support/http-store.js";
import { fillWith, transferFixture, type TransferFixture } from "../support/transfer-fixture.js";

let store: HttpStore;
let fixture: TransferFixture;
let destination: string;
let contents: Record<string, string>;

/**
 * A host with some 3 MiB of documents and a whole backup of them, so that a transfer takes several requests; made once. The
 * tests share it: each has a store of its own, and leaves the documents as they were.
 */
let made:
  { fixture: TransferFixture; contents: Record<string, string>; archive: Buffer } | undefined;
const patience = { retryTimeoutMs: 2500, idleTimeoutMs: 400, backOffMs: 5 };

beforeEach(async () => {
  store = await httpStore();
  destination = `${store.origin}/b.zip`;
  if (made === undefined) {
    fixture = await transferFixture(patience, {}, undefined, true);
    await fillWith(fixture, 80);
    await fixture.backupTo(destination);
    made = { fixture, contents: await fixture.contents(), archive: store.bytes("/b.zip") };
  }
  ({ fixture, contents } = made);
  store.put("/b.zip", made.archive);
  store.reset();
  // A test that failed half-way.
  if (JSON.stringify(await fixture.contents()) !== JSON.stringify(contents))
    await fixture.restoreFrom(destination);
});

/** The failure of what is tried for long: not as long here as what gets through in the end. */
async function lastingFailureOf(work: () => Promise<unknown>): Promise<HostError> {
  patience.retryTimeoutMs = 1000;
  try {
    return await failureOf(work());
  } finally {
    patience.retryTimeoutMs = 2500;
  }
}

async function failureOf(work: Promise<unknown>): Promise<HostError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HostError);
  return error as HostError;
}

/** After whatever happened: the host serves what it served, nothing is left over, and no secret was told. */
async function expectUnharmed(error?: HostError): Promise<void> {
  expect(await fixture.contents()).toEqual(contents);
  expect(fixture.leftovers()).toEqual([]);
  if (!error) return;
  expect(error.message).not.toMatch(/SECRET|hunter2/);
  expect(error.message).toContain(destination);
}

const first = (count: number) => (nth: number) => nth <= count;
const always = () => true;

const otherTotal: Fault = ({ nth, headers }, _incoming, response) => {
  if (nth !== 3) return false;
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
  response.writeHead(206, { "content-range": `bytes ${from}-${to}/99` }).end();
  return true;
};

describe("a backup gets through what passes", () => {
  test.each([
    ["a burst of 503", answerWith("PUT", 503, first(4))],
    ["429 with a time to wait", answerWith("PUT", 429, first(2), { "retry-after": "1" })],
    ["408", answerWith("PUT", 408, first(1))],
    ["a 500 in the middle", answerWith("PUT", 500, (nth) => nth === 3)],
    ["connections that are reset", resetPut((nth) => nth === 1 || nth === 3)],
    ["a PUT that is never answered", stall("PUT", (nth) => nth === 2)],
    ["a read back that is cut", breakBody("reset", 100_000, (nth) => nth % 2 === 1 && nth < 8)],
    ["a read back that stops", breakBody("stop", 100_000, (nth) => nth === 2)],
  ])("%s", async (_what, fault) => {
    store.fault = fault;
    const result = await fixture.backupTo(destination, { bearer: "hunter2" });
    expect(result).toMatchObject({ verified: true, warnings: [] });
    store.reset();
    await fixture.put("d0", { changed: true });
    await fixture.restoreFrom(destination);
    await expectUnharmed();
    expect(store.requests.filter(({ method }) => method === "GET").length).toBeGreaterThan(2);
  });
});

describe("a backup fails clean, and says which end failed", () => {
  test.each([
    [
      "403 is not tried again",
      answerWith("PUT", 403),
      "DESTINATION_REFUSED",
      /The destination .* responded to PUT with 403 Forbidden/,
      4,
    ],
    ["413 is not tried again", answerWith("PUT", 413), "DESTINATION_REFUSED", /413/, 4],
    [
      "redirects are not followed",
      answerWith("PUT", 307, always, { location: "http://127.0.0.1:1/" }),
      "DESTINATION_REFUSED",
      /307.*redirects are not followed/,
      4,
    ],
    [
      "503 without end",
      answerWith("PUT", 503),
      "DESTINATION_UNREACHABLE",
      /503 Service Unavailable.*Tried \d+ times/,
    ],
    [
      "a time to wait beyond all patience",
      answerWith("PUT", 503, always, { "retry-after": "3600" }),
      "DESTINATION_UNREACHABLE",
      /503/,
      4,
    ],
    [
      "never an answer",
      stall("PUT", always),
      "DESTINATION_UNREACHABLE",
      /timed out: no traffic on a PUT/,
    ],
    [
      "connections that are always reset",
      resetPut(always),
      "DESTINATION_UNREACHABLE",
      /closed the connection \(E(CONNRESET|PIPE)\)/,
    ],
    [
      "a read back that fails",
      answerWith("GET", 500),
      "DESTINATION_UNREACHABLE",
      /responded to GET with 500/,
    ],
    [
      "a read back that is redirected",
      answerWith("GET", 302, always, { location: "/login" }),
      "DESTINATION_REFUSED",
      /302/,
    ],
  ])("%s", async (_what, fault, reason, message, requestsAtMost = 1000) => {
    store.fault = fault;
    const error = await lastingFailureOf(() =>
      fixture.backupTo(destination, { bearer: "hunter2" }),
    );
    expect([error.reason, error.message]).toEqual([reason, expect.stringMatching(message)]);
    expect(store.requests.length).toBeLessThanOrEqual(requestsAtMost);
    await expectUnharmed(error);
    const after = store.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(store.requests.length).toBe(after);
    store.reset();
    await fixture.backupTo(destination);
  });

  test("what arrived is another file: data loss, whatever was asked of reading back", async () => {
    store.fault = ({ method, nth }, _incoming, _response, { path, put, bytes }) => {
      if (method !== "GET" || nth !== 1) return false;
      expect(path("/b.zip")).not.toBe("");
      const other = bytes("/b.zip");
      other[other.length >> 1]! ^= 1;
      put("/b.zip", other);
      return false;
    };
    const error = await failureOf(fixture.backupTo(destination));
    expect([error.reason, error.code]).toEqual(["BACKUP_DAMAGED", "DATA_LOSS"]);
    await expectUnharmed(error);
  });

  test("what arrived is shorter", async () => {
    store.fault = ({ method, nth }, _incoming, _response, { put, bytes }) => {
      if (method === "GET" && nth === 1) put("/b.zip", bytes("/b.zip").subarray(1));
      return false;
    };
    expect((await failureOf(fixture.backupTo(destination))).reason).toBe("BACKUP_DAMAGED");
  });
});

describe("a store that does not let itself be read", () => {
  test.each([401, 403, 404, 405, 501])("%i to the GET", async (status) => {
    store.fault = answerWith("GET", status);
    const result = await fixture.backupTo(destination);
    expect(result).toMatchObject({
      verified: false,
      warnings: [expect.stringContaining(String(status)) as string],
    });
    const error = await failureOf(fixture.backupTo(destination, { verify: true }));
    expect(error).toMatchObject({
      reason: "DESTINATION_REFUSED",
      message: expect.stringContaining("requires verification") as string,
    });
    store.requests.length = 0;
    expect(await fixture.backupTo(destination, { verify: false })).toMatchObject({
      verified: false,
      warnings: [expect.stringContaining("not verified") as string],
    });
    expect(store.requests.filter(({ method }) => method === "GET")).toEqual([]);
    await expectUnharmed();
  });
});

describe("a restore gets through", () => {
  const manners: [string, StoreManners, (Fault | undefined)?][] = [
    ["as it should be", {}],
    ["a server that counts the end out", { countsEndOut: true }],
    ["a server that ignores ranges", { ignoresRange: true }],
    ["a server that ignores ranges, chunked", { ignoresRange: true, chunked: true }],
    ["chunked ranges", { chunked: true }],
    ["ranges one byte short", { oneShort: true }],
    ["ranges one byte short of what they say", { liesAboutEnd: true }],
    ["ranges that do not say which", { noContentRange: true, noTag: true, ignoresRange: true }],
    ["a weak tag", { weakTag: true }],
    ["no tag", { noTag: true }],
    ["a burst of 502", {}, answerWith("GET", 502, first(3))],
    [
      "a server that says when to come back",
      {},
      answerWith("GET", 503, (nth) => nth === 2, { "retry-after": "1" }),
    ],
    ["bodies that are cut", {}, breakBody("reset", 70_000, (nth) => nth < 6)],
    ["bodies that are cut after a few bytes", {}, breakBody("reset", 3, (nth) => nth < 4)],
    ["bodies that stop", {}, breakBody("stop", 200_000, (nth) => nth < 3)],
    [
      "lengths that are smaller than the body",
      {},
      breakBody("lie about the length", 200_000, (nth) => nth < 4),
    ],
    ["a request that is never answered", {}, stall("GET", (nth) => nth === 1 || nth === 4)],
  ];
  test.each(manners.map(([what, manner, fault]) => [what, manner, fault] as const))(
    "%s",
    async (_what, manners, fault) => {
      store.manners = manners;
      store.fault = fault;
      await fixture.put("d1", { changed: true });
      const result = await fixture.restoreFrom(destination, { bearer: "hunter2" });
      expect(result).toMatchObject({ documents: 80, warnings: [] });
      await expectUnharmed();
    },
  );

  test("a stream without ranges that breaks begins anew", async () => {
    store.manners = { ignoresRange: true };
    store.fault = ({ method, nth }, _incoming, response, { bytes }) => {
      if (method !== "GET" || nth > 2) return false;
      const whole = bytes("/b.zip");
      response.writeHead(200, { "content-length": whole.length });
      response.write(whole.subarray(0, 500_000 * nth), () => response.socket?.resetAndDestroy());
      return true;
    };
    await fixture.restoreFrom(destination);
    expect(store.requests).toHaveLength(3);
    await expectUnharmed();
  });

  test("parts that do not say which are asked for again as a whole", async () => {
    store.manners = { noContentRange: true };
    await fixture.restoreFrom(destination);
    expect(store.requests.map(({ headers }) => headers.range !== undefined)).toEqual([true, false]);
    await expectUnharmed();
  });

  test("several ranges at once, of which only what is missing is asked for again, under the tag of the first", async () => {
    store.fault = breakBody("reset", 100_000, (nth) => nth === 2);
    await fixture.restoreFrom(destination);
    const { requests, mostAtOnce } = store;
    expect(mostAtOnce).toBeGreaterThan(1);
    expect(mostAtOnce).toBeLessThanOrEqual(4);
    expect(requests[0]?.headers).toMatchObject({
      range: "bytes=0-524287",
      "accept-encoding": "identity",
    });
    expect(new Set(requests.slice(1).map(({ headers }) => headers["if-range"]))).toEqual(
      new Set([store.tagOf("/b.zip")]),
    );
    const starts = requests.map(({ headers }) =>
      Number(/bytes=(\d+)/.exec(headers.range ?? "")?.[1]),
    );
    expect(new Set(starts).size).toBe(starts.length);
    expect(starts.some((start) => start % 524_288 !== 0)).toBe(true);
  });
});

describe("a restore fails clean, and says which end failed", () => {
  test.each([
    [
      "404",
      {},
      answerWith("GET", 404),
      "DESTINATION_REFUSED",
      /The source .* responded to GET with 404 Not Found/,
    ],
    ["401", {}, answerWith("GET", 401), "DESTINATION_REFUSED", /401/],
    [
      "a redirect",
      {},
      answerWith("GET", 301, always, { location: "http://169.254.169.254/" }),
      "DESTINATION_REFUSED",
      /redirects are not followed/,
    ],
    [
      "500 without end",
      {},
      answerWith("GET", 500),
      "DESTINATION_UNREACHABLE",
      /500 Internal Server Error.*Tried/,
    ],
    [
      "500 in the middle without end",
      {},
      answerWith("GET", 500, (nth) => nth > 2),
      "DESTINATION_UNREACHABLE",
      /500/,
    ],
    ["never an answer", {}, stall("GET", always), "DESTINATION_UNREACHABLE", /timed out/],
    [
      "bodies that always stop at once",
      {},
      breakBody("stop", 10, always),
      "DESTINATION_UNREACHABLE",
      /timed out/,
    ],
    [
      "bodies that are always cut at once",
      {},
      breakBody("reset", 10, always),
      "DESTINATION_UNREACHABLE",
      /closed the connection/,
    ],
    [
      "another range than was asked for",
      {},
      answerWith("GET", 206, (nth) => nth === 2, { "content-range": "bytes 5-9/3000000" }),
      "DESTINATION_REFUSED",
      /bytes from offset 5;/,
    ],
    [
      "a content encoding",
      {},
      answerWith("GET", 200, always, { "content-encoding": "gzip" }),
      "DESTINATION_REFUSED",
      /content encoding "gzip"/,
    ],
    [
      "another total",
      {},
      otherTotal,
      "SOURCE_CHANGED",
      /changed during the download: its size was \d+ bytes and is now 99/,
    ],
  ])("%s", async (_what, manners, fault, reason, message) => {
    store.manners = manners;
    store.fault = fault;
    const error = await lastingFailureOf(() =>
      fixture.restoreFrom(destination, { bearer: "hunter2" }),
    );
    expect([error.reason, error.message]).toEqual([reason, expect.stringMatching(message)]);
    await expectUnharmed(error);
    store.reset();
    await fixture.restoreFrom(destination);
    await expectUnharmed();
  });

  test.each([
    ["by its tag", {}],
    ["without a tag by its time", { noTag: true }],
    ["with a weak one", { weakTag: true }],
  ])("a file that changes between two ranges is no mix, told %s", async (_how, manners) => {
    store.manners = manners;
    store.fault = ({ nth }, _incoming, _response, { path, put, bytes }) => {
      if (nth === 3) {
        put("/b.zip", bytes("/b.zip").fill(0, 100, 200));
        // The time of a file in headers is one of whole seconds.
        const later = new Date(Date.now() + 5000);
        utimesSync(path("/b.zip"), later, later);
      }
      return false;
    };
    const error = await failureOf(fixture.restoreFrom(destination));
    expect([error.reason, error.code]).toEqual(["SOURCE_CHANGED", "ABORTED"]);
    await expectUnharmed(error);
  });

  test("a file that becomes shorter", async () => {
    store.manners = { noTag: true };
    store.fault = ({ nth }, _incoming, _response, { put, bytes }) => {
      if (nth === 3) put("/b.zip", bytes("/b.zip").subarray(0, 600_000));
      return false;
    };
    expect((await failureOf(fixture.restoreFrom(destination))).reason).toBe("SOURCE_CHANGED");
    await expectUnharmed();
  });

  test.each([
    ["garbage", Buffer.alloc(2_000_000, 7)],
    ["nothing", Buffer.alloc(0)],
    ["one byte", Buffer.alloc(1)],
  ])("%s is no backup, and is called by its URI", async (_what, bytes) => {
    store.put("/b.zip", bytes);
    const error = await failureOf(fixture.restoreFrom(destination));
    expect([error.reason, error.message]).toEqual([
      "BACKUP_FOREIGN",
      expect.not.stringContaining(fixture.root),
    ]);
    await expectUnharmed(error);
  });

  test("half an archive was cut off", async () => {
    store.put("/b.zip", store.bytes("/b.zip").subarray(0, 1_000_000));
    const error = await failureOf(fixture.restoreFrom(destination));
    expect([error.reason, error.message]).toEqual([
      "BACKUP_DAMAGED",
      expect.stringMatching(/cut off/),
    ]);
    expect(error.message).not.toContain(fixture.root);
    await expectUnharmed(error);
  });

  test("damage inside the archive is told by its URI", async () => {
    const bytes = store.bytes("/b.zip");
    bytes[bytes.length >> 1]! ^= 1;
    store.put("/b.zip", bytes);
    const error = await failureOf(fixture.restoreFrom(destination));
    expect([error.reason, error.message]).toEqual([
      "BACKUP_DAMAGED",
      expect.not.stringContaining(fixture.root),
    ]);
    await expectUnharmed(error);
  });
});

test("a transfer that is cancelled stops at once and leaves nothing", async () => {
  fixture = await transferFixture({ retryTimeoutMs: 50_000, idleTimeoutMs: 50_000, backOffMs: 5 });
  contents = {};
  store.fault = stall("GET", always);
  const { management, operations } = fixture.host;
  const { name } = await management.restore({
    source: destination,
    indexLink: "/core/document-index",
  });
  while (store.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const begun = performance.now();
  await operations.cancel(name);
  expect(performance.now() - begun).toBeLessThan(20_000);
  expect(operations.get(name).error?.reason).toBe("OPERATION_CANCELLED");
  await expectUnharmed();
});

test("nobody listens: unreachable, within the time that is waited", async () => {
  const nobody = "http://127.0.0.1:9/x";
  destination = nobody;
  const error = await lastingFailureOf(() => fixture.restoreFrom(nobody));
  expect([error.reason, error.message]).toEqual([
    "DESTINATION_UNREACHABLE",
    expect.stringMatching(/The source .* refuses connections \(ECONNREFUSED\)\. Tried/),
  ]);
  await expectUnharmed(error);
  expect((await lastingFailureOf(() => fixture.backupTo(nobody))).message).toMatch(
    /^The destination/,
  );
});

test("two backups to one file go one after the other", async () => {
  const results = await Promise.all([fixture.backupTo(destination), fixture.backupTo(destination)]);
  expect(results.map(({ verified }) => verified)).toEqual([true, true]);
  await fixture.restoreFrom(destination);
  await expectUnharmed();
});
