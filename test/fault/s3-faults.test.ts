import { HostError } from "../../src/errors.js";
import { long } from "../support/long.js";
import {
  openUploads,
  s3Fixture,
  shortTransfer,
  straysBelow,
  type S3Fixture,
} from "../support/s3-fixture.js";
import {
  foreignText,
  s3Proxy,
  type S3Answer,
  type S3Fault,
  type S3Proxy,
} from "../support/s3-proxy.js";
import { haveVersitygw, strictStore, type S3Store } from "../support/s3-store.js";

/** One host, one store and one proxy for all cases; each case has its own prefix. */
let store: S3Store;
let proxy: S3Proxy;
let fixture: S3Fixture;
let count = 0;
let uri = "";
let prefix = "";
/** Documents of the complete backup, and those that the operation under test backs up. */
let before: Record<string, string>;
let now: Record<string, string>;

const transfer = { ...shortTransfer };

const describeStore = haveVersitygw ? describe : describe.skip;

beforeAll(async () => {
  if (!haveVersitygw) return;
  store = await strictStore();
  proxy = await s3Proxy(store);
  fixture = await s3Fixture({ transfer }, {}, { shared: true });
  for (let i = 0; i < 20; i += 1) await fixture.put(`d${i}`, { i, pad: "x".repeat(1000) });
});

beforeEach(() => {
  if (!haveVersitygw) return;
  proxy.reset();
  transfer.retryTimeoutMs = shortTransfer.retryTimeoutMs;
  prefix = `p${(count += 1)}/q/`;
  uri = `${proxy.uri}/p${count}/q`;
});

type Container = "DIRECTORY" | "ZIP";
const targetOf = (container: Container) => (container === "ZIP" ? `${uri}/b.zip` : uri);

/** A complete backup at the prefix, and then a change. */
async function prepare(container: Container): Promise<void> {
  await fixture.put("d1", { before: count });
  before = await fixture.contents();
  await fixture.backupTo(targetOf(container), { container });
  await fixture.put("d1", { now: count });
  now = await fixture.contents();
  proxy.reset();
}

/** How work ended: undefined, or the error of the host. */
async function outcome(work: () => Promise<unknown>): Promise<HostError | undefined> {
  return work().then(
    () => undefined,
    (thrown: unknown) => {
      expect(thrown).toBeInstanceOf(HostError);
      return thrown as HostError;
    },
  );
}

/** Errors name the destination and what to do, and contain nothing that the store wrote. */
function expectClear(error: HostError): void {
  expect(error.message).not.toMatch(/SECRET|holdfast-test-secret|\bat .*\.[jt]s:/);
  expect(error.message).toContain(proxy.uri);
  expect(error.reason).toMatch(
    /^(DESTINATION_(UNREACHABLE|REFUSED|BUSY|OCCUPIED|FULL|MISSING)|BACKUP_(DAMAGED|NOT_FOUND)|SOURCE_CHANGED)$/,
  );
}

/** The documents that a restore of the newest backup yields. */
async function restored(container: Container): Promise<Record<string, string>> {
  await fixture.restoreFrom(targetOf(container));
  return fixture.contents();
}

type When = { nth?: number; always?: true };

const at =
  (kind: string, { nth = 1, always }: When, answer: S3Answer): S3Fault =>
  (request) =>
    request.kind === kind && (always ? request.nth >= nth : request.nth === nth)
      ? answer
      : undefined;

/** Faults that a retry survives. */
const passing: Record<string, S3Answer> = {
  "a connection that ends before the request is executed": { cut: "before" },
  "a lost response after success": { cut: "after" },
  "500": { status: 500, code: "InternalError" },
  "503 SlowDown": { status: 503, code: "SlowDown" },
  "503 with Retry-After": { status: 503, code: "SlowDown", headers: { "retry-after": "1" } },
  "429": { status: 429, code: "TooManyRequests" },
  "no response": { stall: "before" },
  "no response after success": { stall: "after" },
};

/** Faults of responses with a body. */
const bodies: Record<string, S3Answer> = {
  "a body that is cut": { truncate: 40, how: "cut" },
  "a body that stops": { truncate: 40, how: "stop" },
  "no body": { truncate: 0, how: "cut" },
  "a body that stops at its start": { truncate: 0, how: "stop" },
};

/** A response of a gateway that seems complete: taken for an empty listing, it would cost segments. */
const listings: Record<string, S3Answer> = {
  "an empty response": { truncate: 0, how: "shorter" },
  "half a response": { truncate: 90, how: "shorter" },
};

/** Faults that no retry survives. */
const lasting: Record<string, S3Answer> = {
  "403 AccessDenied": { status: 403, code: "AccessDenied" },
  "503 on every attempt": { status: 503, code: "SlowDown" },
  "connections that end": { cut: "before" },
  "lost responses": { cut: "after" },
  "no responses": { stall: "before" },
  "400 with an unknown code": { status: 400, code: "Surprise" },
  "500 without a body": { status: 500, code: "", text: "" },
  "a page of a proxy": { status: 502, code: "<html>", text: foreignText },
};

const writes: Record<Container, string[]> = {
  DIRECTORY: [
    "GET lease",
    "PUT lease",
    "LIST",
    "GET manifest",
    "UPLOADS",
    "PUT note",
    "PUT segment",
    "PUT signature",
    "PUT manifest",
    "DELETE note",
    "DELETE manifest",
    "DELETE signature",
    "DELETE lease",
  ],
  ZIP: [
    "GET lease",
    "PUT lease",
    "HEAD archive",
    "GET archive",
    "UPLOADS",
    "PUT archive",
    "DELETE lease",
  ],
};

const reads: Record<Container, string[]> = {
  DIRECTORY: ["HEAD other", "LIST", "GET manifest", "GET segment"],
  ZIP: ["HEAD archive", "GET archive"],
};

/** Requests for which the lasting faults differ. For the others, three of them stand for all. */
const typical = /^(PUT (segment|archive|lease)|LIST|HEAD other|GET (segment|archive))$/;

const lastingFor = (kind: string): Record<string, S3Answer> =>
  typical.test(kind)
    ? lasting
    : Object.fromEntries(
        Object.entries(lasting)
          .filter(([, answer]) => "code" in answer)
          .slice(0, 2),
      );

const hasBody = (kind: string) => /^(GET|LIST|UPLOADS)/.test(kind);

/** Requests that may fail without failing the backup: it is complete, or they only clean up. */
const optional = /^(DELETE|UPLOADS)/;

const containers: Container[] = ["DIRECTORY", "ZIP"];

/**
 * A quarter of the table, in which each fault meets several requests and each request several faults: the whole
 * takes eight minutes. EVERY_FAULT=1 runs all of it.
 */
const isTried = (row: number, column: number) =>
  process.env["EVERY_FAULT"] !== undefined || (row + column) % 4 === 0;

const cases = (
  kinds: Record<Container, string[]>,
  faults: (kind: string) => Record<string, S3Answer>,
) =>
  containers.flatMap((container) =>
    kinds[container].flatMap((kind, row) =>
      Object.entries(faults(kind))
        .filter((_entry, column) => isTried(row, column))
        .map(([what, answer]) => [container, kind, what, answer] as const),
    ),
  );

describeStore("a backup survives", () => {
  const faults = (kind: string) => ({
    ...passing,
    ...(!kind.startsWith("HEAD") && {
      "400 RequestTimeout": { status: 400, code: "RequestTimeout" },
    }),
    ...(hasBody(kind) && bodies),
    ...(kind === "LIST" && listings),
  });
  test.each(cases(writes, faults))("%s: %s: %s", async (container, kind, _what, answer) => {
    await prepare(container);
    proxy.fault = at(kind, {}, answer);
    const result = await fixture.backupTo(targetOf(container), { container });
    expect(proxy.faults).toBe(1);
    expect(result.verified).toBe(true);
    proxy.reset();
    expect(await straysBelow(store, prefix)).toEqual([]);
    expect(await openUploads(store, prefix)).toEqual([]);
    expect(fixture.leftovers()).toEqual([]);
    expect(await restored(container)).toEqual(now);
  });
});

describeStore("a backup that cannot complete leaves the earlier one", () => {
  test.each(cases(writes, lastingFor))("%s: %s: %s", async (container, kind, _what, answer) => {
    await prepare(container);
    transfer.retryTimeoutMs = 400;
    proxy.fault = at(kind, { always: true }, answer);
    const error = await outcome(() => fixture.backupTo(targetOf(container), { container }));
    expect(proxy.faults).toBeGreaterThan(0);
    transfer.retryTimeoutMs = shortTransfer.retryTimeoutMs;
    proxy.reset();
    if (error) expectClear(error);
    else expect(kind).toMatch(optional);
    expect(fixture.leftovers()).toEqual([]);
    const found = await restored(container);
    // A write whose response is lost may have been executed.
    if (error) expect([before, now]).toContainEqual(found);
    else expect(found).toEqual(now);
    await fixture.put("d2", { next: count });
    const next = await fixture.contents();
    await fixture.backupTo(targetOf(container), { container });
    expect(await straysBelow(store, prefix)).toEqual([]);
    expect(await restored(container)).toEqual(next);
  });
});

describeStore("a restore survives", () => {
  const faults = (kind: string) => ({
    ...passing,
    ...(hasBody(kind) && bodies),
    ...(kind === "LIST" && listings),
    ...(/^GET (segment|archive)/.test(kind) && {
      "a body without end": { endless: true as const },
      "a body in the middle of which the connection ends": {
        truncate: 20_000,
        how: "cut" as const,
      },
      "a body that stops in the middle": { truncate: 20_000, how: "stop" as const },
    }),
  });
  test.each(cases(reads, faults))("%s: %s: %s", async (container, kind, _what, answer) => {
    await prepare(container);
    proxy.fault = at(kind, {}, answer);
    expect(await restored(container)).toEqual(before);
    expect(proxy.faults).toBe(1);
    expect(fixture.leftovers()).toEqual([]);
  });
});

describeStore("a restore or verification that cannot complete changes nothing", () => {
  test.each(cases(reads, lastingFor))("%s: %s: %s", async (container, kind, _what, answer) => {
    await prepare(container);
    transfer.retryTimeoutMs = 400;
    proxy.fault = at(kind, { always: true }, answer);
    const works = [() => fixture.restoreFrom(targetOf(container))];
    if (long)
      works.push(() => fixture.finish(fixture.host.management.verifyBackup(targetOf(container))));
    for (const work of works) {
      const error = await outcome(work);
      expect(error).toBeDefined();
      expectClear(error!);
    }
    expect(fixture.leftovers()).toEqual([]);
    expect(await fixture.contents()).toEqual(now);
  });
});

describeStore("listing and pruning", () => {
  test.each(
    [
      "GET lease",
      "PUT lease",
      "LIST",
      "GET manifest",
      "PUT note",
      "DELETE manifest",
      "DELETE segment",
    ].flatMap((kind, row) =>
      Object.entries({
        "a lost response after success": passing["a lost response after success"]!,
        "503 SlowDown": passing["503 SlowDown"]!,
        ...lastingFor(kind),
      })
        .filter((_entry, column) => isTried(row, column))
        .map(([what, answer]) => [kind, what, answer] as const),
    ),
  )("%s: %s", async (kind, what, answer) => {
    await prepare("DIRECTORY");
    // Another index, whose backup stays when the first one is pruned.
    const other = await fixture.backupTo(uri, { indexLink: "/core/in-memory-document-index" });
    const kept = other.backup.name;
    const { management } = fixture.host;
    const [pruned] = (await management.listBackups(uri)).filter(({ name }) => name !== kept);
    proxy.reset();
    transfer.retryTimeoutMs = 400;
    const isLasting = what in lasting;
    proxy.fault = at(kind, isLasting ? { always: true } : {}, answer);
    transfer.retryTimeoutMs = isLasting ? 400 : 1500;
    const error = await outcome(() => management.pruneBackups(uri, [pruned!.name]));
    expect(proxy.faults).toBeGreaterThan(0);
    proxy.reset();
    transfer.retryTimeoutMs = 1500;
    if (error) expectClear(error);
    expect(error === undefined).toBe(!isLasting);
    const left = (await management.listBackups(uri)).map(({ name, state }) => [name, state]);
    expect(left).toContainEqual([kept, "COMPLETE"]);
    expect(left.every(([, state]) => state === "COMPLETE")).toBe(true);
    if (!error) expect(left).toHaveLength(1);
    // The next backup completes the removal.
    await fixture.backupTo(uri, { indexLink: "/core/in-memory-document-index" });
    expect(await straysBelow(store, prefix)).toEqual([]);
  });
});
