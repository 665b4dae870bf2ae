import { utimesSync } from "node:fs";
import { HostError } from "../../src/errors.js";
import { eventually } from "../support/eventually.js";
import {
  answerWith,
  breakBody,
  httpStore,
  resetPut,
  stall,
  type Fault,
  type HttpStore,
  type StoreBehavior,
} from "../support/http-store.js";
import { fillWith, transferFixture, type TransferFixture } from "../support/transfer-fixture.js";

let store: HttpStore;
let fixture: TransferFixture;
let destination: string;
let contents: Record<string, string>;

/**
 * A host with about 3 MiB of documents and a complete backup of them, so that a transfer takes several requests. The tests
 * share it: each has its own store, and leaves the documents unchanged.
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
  // Left by a test that failed midway.
  if (JSON.stringify(await fixture.contents()) !== JSON.stringify(contents))
    await fixture.restoreFrom(destination);
});

/** The error of an operation that exhausts its retries, with a shorter limit than for operations that succeed. */
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

/** After any failure the host serves the same documents, has no temporary files, and reports no secret. */
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

describe("a backup survives temporary failures", () => {
  test.each([
    ["a burst of 503", answerWith("PUT", 503, first(4))],
    ["429 with Retry-After", answerWith("PUT", 429, first(2), { "retry-after": "1" })],
    ["408", answerWith("PUT", 408, first(1))],
    ["a 500 in the middle", answerWith("PUT", 500, (nth) => nth === 3)],
    ["connection resets", resetPut((nth) => nth === 1 || nth === 3)],
    ["a PUT without a response", stall("PUT", (nth) => nth === 2)],
    ["an interrupted read back", breakBody("reset", 100_000, (nth) => nth % 2 === 1 && nth < 8)],
    ["a stalled read back", breakBody("stop", 100_000, (nth) => nth === 2)],
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

describe("a backup fails without traces, and names the failing side", () => {
  test.each([
    [
      "403 without retries",
      answerWith("PUT", 403),
      "DESTINATION_REFUSED",
      /The destination .* responded to PUT with 403 Forbidden/,
      4,
    ],
    ["413 without retries", answerWith("PUT", 413), "DESTINATION_REFUSED", /413/, 4],
    [
      "a redirect, which is not followed",
      answerWith("PUT", 307, always, { location: "http://127.0.0.1:1/" }),
      "DESTINATION_REFUSED",
      /307.*redirects are not followed/,
      4,
    ],
    [
      "503 on every attempt",
      answerWith("PUT", 503),
      "DESTINATION_UNREACHABLE",
      /503 Service Unavailable.*Tried \d+ times/,
    ],
    [
      "a Retry-After beyond the retry limit",
      answerWith("PUT", 503, always, { "retry-after": "3600" }),
      "DESTINATION_UNREACHABLE",
      /503/,
      4,
    ],
    [
      "no response",
      stall("PUT", always),
      "DESTINATION_UNREACHABLE",
      /timed out: no traffic on a PUT/,
    ],
    [
      "a connection reset on every attempt",
      resetPut(always),
      "DESTINATION_UNREACHABLE",
      /closed the connection \(E(CONNRESET|PIPE)\)/,
    ],
    [
      "a failed read back",
      answerWith("GET", 500),
      "DESTINATION_UNREACHABLE",
      /responded to GET with 500/,
    ],
    [
      "a redirected read back",
      answerWith("GET", 302, always, { location: "/login" }),
      "DESTINATION_REFUSED",
      /302/,
    ],
  ])("%s", async (_what, fault, reason, message, requestsAtMost = 1000) => {
    store.fault = fault;
    const error = await lastingFailureOf(() =>
      fixture.backupTo(destination, { bearer: "hunter2" }),
    );
    expect(error.reason).toBe(reason);
    expect(error.message).toMatch(message);
    expect(store.requests.length).toBeLessThanOrEqual(requestsAtMost);
    await expectUnharmed(error);
    const after = store.requests.length;
    // Time in which a retry would be sent.
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(store.requests.length).toBe(after);
    store.reset();
    await fixture.backupTo(destination);
  });

  test("another file in place of the backup is data loss, whatever the verification setting", async () => {
    store.fault = ({ method, nth }, _incoming, _response, { path, put, bytes }) => {
      if (method !== "GET" || nth !== 1) return false;
      expect(path("/b.zip")).not.toBe("");
      const other = bytes("/b.zip");
      other[other.length >> 1]! ^= 1;
      put("/b.zip", other);
      return false;
    };
    const error = await failureOf(fixture.backupTo(destination));
    expect(error).toMatchObject({ reason: "BACKUP_DAMAGED", code: "DATA_LOSS" });
    await expectUnharmed(error);
  });

  test("a shorter file is damage", async () => {
    store.fault = ({ method, nth }, _incoming, _response, { put, bytes }) => {
      if (method === "GET" && nth === 1) put("/b.zip", bytes("/b.zip").subarray(1));
      return false;
    };
    expect((await failureOf(fixture.backupTo(destination))).reason).toBe("BACKUP_DAMAGED");
  });
});

describe("a store without read access", () => {
  test.each([401, 403, 404, 405, 501])("answers GET with %i", async (status) => {
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

describe("a restore succeeds despite", () => {
  const behaviors: [string, StoreBehavior, (Fault | undefined)?][] = [
    ["no fault", {}],
    ["a server with exclusive range ends", { exclusiveRangeEnd: true }],
    ["a server that ignores ranges", { ignoresRange: true }],
    ["a server that ignores ranges and sends chunks", { ignoresRange: true, chunked: true }],
    ["chunked ranges", { chunked: true }],
    ["ranges one byte short", { oneShort: true }],
    ["ranges one byte shorter than their Content-Range", { liesAboutEnd: true }],
    ["ranges without a Content-Range", { noContentRange: true, noTag: true, ignoresRange: true }],
    ["a weak ETag", { weakTag: true }],
    ["no ETag", { noTag: true }],
    ["a burst of 502", {}, answerWith("GET", 502, first(3))],
    [
      "a server that sends Retry-After",
      {},
      answerWith("GET", 503, (nth) => nth === 2, { "retry-after": "1" }),
    ],
    ["interrupted bodies", {}, breakBody("reset", 70_000, (nth) => nth < 6)],
    ["bodies interrupted after a few bytes", {}, breakBody("reset", 3, (nth) => nth < 4)],
    ["stalled bodies", {}, breakBody("stop", 200_000, (nth) => nth < 3)],
    [
      "a Content-Length smaller than the body",
      {},
      breakBody("lie about the length", 200_000, (nth) => nth < 4),
    ],
    ["a request without a response", {}, stall("GET", (nth) => nth === 1 || nth === 4)],
  ];
  test.each(behaviors.map(([what, behavior, fault]) => [what, behavior, fault] as const))(
    "%s",
    async (_what, behavior, fault) => {
      store.behavior = behavior;
      store.fault = fault;
      await fixture.put("d1", { changed: true });
      const result = await fixture.restoreFrom(destination, { bearer: "hunter2" });
      expect(result).toMatchObject({ documents: 80, warnings: [] });
      await expectUnharmed();
    },
  );

  test("restarts an interrupted stream without ranges", async () => {
    store.behavior = { ignoresRange: true };
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

  test("requests the whole file after parts without a Content-Range", async () => {
    store.behavior = { noContentRange: true };
    await fixture.restoreFrom(destination);
    expect(store.requests.map(({ headers }) => headers.range !== undefined)).toEqual([true, false]);
    await expectUnharmed();
  });

  test("requests several ranges at once, repeats only missing parts, and requires the ETag of the first one", async () => {
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

describe("a restore fails without traces, and names the failing side", () => {
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
      "500 on every attempt",
      {},
      answerWith("GET", 500),
      "DESTINATION_UNREACHABLE",
      /500 Internal Server Error.*Tried/,
    ],
    [
      "500 on every attempt of a later range",
      {},
      answerWith("GET", 500, (nth) => nth > 2),
      "DESTINATION_UNREACHABLE",
      /500/,
    ],
    ["no response", {}, stall("GET", always), "DESTINATION_UNREACHABLE", /timed out/],
    [
      "bodies that always stall at the start",
      {},
      breakBody("stop", 10, always),
      "DESTINATION_UNREACHABLE",
      /timed out/,
    ],
    [
      "bodies that are always interrupted at the start",
      {},
      breakBody("reset", 10, always),
      "DESTINATION_UNREACHABLE",
      /closed the connection/,
    ],
    [
      "a range other than the requested one",
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
  ])("%s", async (_what, behavior, fault, reason, message) => {
    store.behavior = behavior;
    store.fault = fault;
    const error = await lastingFailureOf(() =>
      fixture.restoreFrom(destination, { bearer: "hunter2" }),
    );
    expect(error.reason).toBe(reason);
    expect(error.message).toMatch(message);
    await expectUnharmed(error);
    store.reset();
    await fixture.restoreFrom(destination);
    await expectUnharmed();
  });

  test.each([
    ["with an ETag", {}],
    ["without an ETag, by its modification time", { noTag: true }],
    ["with a weak ETag", { weakTag: true }],
  ])("detects a file that changes between two ranges %s", async (_how, behavior) => {
    store.behavior = behavior;
    store.fault = ({ nth }, _incoming, _response, { path, put, bytes }) => {
      if (nth === 3) {
        put("/b.zip", bytes("/b.zip").fill(0, 100, 200));
        // HTTP dates have a resolution of one second.
        const later = new Date(Date.now() + 5000);
        utimesSync(path("/b.zip"), later, later);
      }
      return false;
    };
    const error = await failureOf(fixture.restoreFrom(destination));
    expect(error).toMatchObject({ reason: "SOURCE_CHANGED", code: "ABORTED" });
    await expectUnharmed(error);
  });

  test("detects a file that becomes shorter", async () => {
    store.behavior = { noTag: true };
    store.fault = ({ nth }, _incoming, _response, { put, bytes }) => {
      if (nth === 3) put("/b.zip", bytes("/b.zip").subarray(0, 600_000));
      return false;
    };
    expect((await failureOf(fixture.restoreFrom(destination))).reason).toBe("SOURCE_CHANGED");
    await expectUnharmed();
  });

  test.each([
    ["garbage", Buffer.alloc(2_000_000, 7)],
    ["an empty file", Buffer.alloc(0)],
    ["one byte", Buffer.alloc(1)],
  ])("%s is not a backup, and the error names the URI", async (_what, bytes) => {
    store.put("/b.zip", bytes);
    const error = await failureOf(fixture.restoreFrom(destination));
    expect(error.reason).toBe("BACKUP_FOREIGN");
    expect(error.message).not.toContain(fixture.root);
    await expectUnharmed(error);
  });

  test("reports a truncated archive", async () => {
    store.put("/b.zip", store.bytes("/b.zip").subarray(0, 1_000_000));
    const error = await failureOf(fixture.restoreFrom(destination));
    expect(error.reason).toBe("BACKUP_DAMAGED");
    expect(error.message).toMatch(/cut off/);
    expect(error.message).not.toContain(fixture.root);
    await expectUnharmed(error);
  });

  test("reports damage inside the archive with the URI", async () => {
    const bytes = store.bytes("/b.zip");
    bytes[bytes.length >> 1]! ^= 1;
    store.put("/b.zip", bytes);
    const error = await failureOf(fixture.restoreFrom(destination));
    expect(error.reason).toBe("BACKUP_DAMAGED");
    expect(error.message).not.toContain(fixture.root);
    await expectUnharmed(error);
  });
});

test("a cancelled transfer stops at once and leaves no files", async () => {
  fixture = await transferFixture({ retryTimeoutMs: 50_000, idleTimeoutMs: 50_000, backOffMs: 5 });
  contents = {};
  store.fault = stall("GET", always);
  const { management, operations } = fixture.host;
  const { name } = await management.restore({
    source: destination,
    indexLink: "/core/document-index",
  });
  await eventually(() => store.requests.length > 0);
  const begun = performance.now();
  await operations.cancel(name);
  expect(performance.now() - begun).toBeLessThan(20_000);
  expect(operations.get(name).error?.reason).toBe("OPERATION_CANCELLED");
  await expectUnharmed();
});

test("a refused connection is reported as unreachable within the retry limit", async () => {
  const closedPort = "http://127.0.0.1:9/x";
  destination = closedPort;
  const error = await lastingFailureOf(() => fixture.restoreFrom(closedPort));
  expect(error.reason).toBe("DESTINATION_UNREACHABLE");
  expect(error.message).toMatch(
    /The source .* refuses connections \(ECONNREFUSED 127\.0\.0\.1:\d+\)\. Tried/,
  );
  await expectUnharmed(error);
  expect((await lastingFailureOf(() => fixture.backupTo(closedPort))).message).toMatch(
    /^The destination/,
  );
});

test("runs two backups to one file one after the other", async () => {
  const results = await Promise.all([fixture.backupTo(destination), fixture.backupTo(destination)]);
  expect(results.map(({ verified }) => verified)).toEqual([true, true]);
  await fixture.restoreFrom(destination);
  await expectUnharmed();
});
