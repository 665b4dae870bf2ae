import { createHash } from "node:crypto";
import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { haveTools, run } from "../support/tools.js";

interface Operation {
  name: string;
  done: boolean;
  error?: { message: string };
  response?: { backup: { uri: string; manifestSha256: string } };
}

const urlOf = ({ host }: HostFixture) => `http://127.0.0.1:${host.httpAddress.port}`;

async function post<T>(url: string, body: object): Promise<T> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return (await response.json()) as T;
}

/** Starts an operation and waits for its end, like a script. */
async function finish(fixture: HostFixture, path: string, body: object): Promise<Operation> {
  const url = urlOf(fixture);
  const { name } = await post<Operation>(`${url}/v1/${path}`, body);
  return post<Operation>(`${url}/v1/${name}:wait`, {});
}

async function prepare(fixture: HostFixture): Promise<{ name: string; url: string }> {
  const { response } = await finish(fixture, "backups", { destination: "transfer:" });
  const name = response?.backup.uri.replace("transfer:", "") ?? "";
  return { name, url: `${urlOf(fixture)}/v1/transfers/${name}` };
}

test("curl and wget download a backup, resume after an interruption, and upload it", async () => {
  if (!haveTools("fetching backups", "curl", "wget")) return;
  const fixture = await hostFixture();
  for (let i = 0; i < 200; i += 1)
    await fixture.put(`n${i}`, { text: `document ${i} ${"x".repeat(i * 10)}` });
  const before = await fixture.contents();
  const { url, name } = await prepare(fixture);
  const directory = fixture.root;
  const archive = join(directory, "whole.zip");
  const curl = (...args: string[]) =>
    run("curl", ["-sS", "--fail-with-body", ...args], { cwd: directory });

  expect((await curl("-D", "headers", "-o", archive, `${url}:download`)).code).toBe(0);
  const bytes = readFileSync(archive);
  const sha256 = createHash("sha256").update(bytes).digest();
  const headers = readFileSync(join(directory, "headers"), "utf8").toLowerCase();
  expect(headers).toContain(`content-length: ${bytes.length}`);
  expect(headers).toContain(`etag: "${sha256.toString("hex")}"`);
  expect(headers).toContain(`repr-digest: sha-256=:${sha256.toString("base64").toLowerCase()}:`);

  await curl("-r", "100-199", "-o", "part", `${url}:download`);
  expect(readFileSync(join(directory, "part"))).toEqual(bytes.subarray(100, 200));
  for (const [tool, args] of [
    ["curl", ["-sS", "-C", "-", "-o", "cut.zip", `${url}:download`]],
    ["wget", ["-q", "-c", "-O", "cut.zip", `${url}:download`]],
  ] as const) {
    writeFileSync(join(directory, "cut.zip"), bytes.subarray(0, 1234));
    expect(await run(tool, [...args], { cwd: directory })).toMatchObject({ code: 0 });
    expect(readFileSync(join(directory, "cut.zip")).equals(bytes)).toBe(true);
  }

  await fixture.put("n1", { text: "changed" });
  // In two parts, as after an interruption; curl sets the Content-Range itself.
  writeFileSync(join(directory, "first"), bytes.subarray(0, 1000));
  const first = JSON.parse(
    (
      await curl(
        "-T",
        "first",
        "-H",
        `content-range: bytes 0-999/${bytes.length}`,
        `${urlOf(fixture)}/v1/transfers/mine`,
      )
    ).stdout,
  ) as object;
  expect(first).toMatchObject({
    committedBytes: "1000",
    complete: false,
    direction: "TRANSFER_DIRECTION_UPLOAD",
  });
  const early = await post<object>(`${urlOf(fixture)}/v1/restores`, { source: "transfer:mine" });
  expect(early).toMatchObject({
    code: 9,
    message: expect.stringContaining("incomplete") as string,
  });
  const last = JSON.parse(
    (await curl("-T", archive, "-C", "1000", `${urlOf(fixture)}/v1/transfers/mine`)).stdout,
  ) as object;
  expect(last).toMatchObject({
    committedBytes: String(bytes.length),
    complete: true,
    sha256: sha256.toString("hex"),
  });
  const restored = await finish(fixture, "restores", { source: "transfer:mine" });
  expect(restored.error).toBeUndefined();
  expect(await fixture.contents()).toEqual(before);
  expect(name).not.toBe("");
});

test("ranges, conditions and refusals follow RFC 9110", async () => {
  const fixture = await hostFixture();
  for (let i = 0; i < 50; i += 1) await fixture.put(`n${i}`, { text: "x".repeat(100) });
  const { url } = await prepare(fixture);
  const whole = await fetch(`${url}:download`);
  const bytes = Buffer.from(await whole.arrayBuffer());
  const etag = whole.headers.get("etag") ?? "";
  const ask = async (headers: Record<string, string>, method = "GET") => {
    const response = await fetch(`${url}:download`, { method, headers });
    return {
      status: response.status,
      range: response.headers.get("content-range"),
      body: Buffer.from(await response.arrayBuffer()),
    };
  };
  expect(await ask({ range: "bytes=-10" })).toMatchObject({
    status: 206,
    range: `bytes ${bytes.length - 10}-${bytes.length - 1}/${bytes.length}`,
    body: bytes.subarray(-10),
  });
  expect(await ask({ range: "bytes=10-" })).toMatchObject({
    status: 206,
    body: bytes.subarray(10),
  });
  expect(await ask({ range: `bytes=5-${bytes.length + 100}` })).toMatchObject({
    status: 206,
    body: bytes.subarray(5),
  });
  expect(await ask({ range: `bytes=${bytes.length}-` })).toMatchObject({
    status: 416,
    range: `bytes */${bytes.length}`,
  });
  expect(await ask({ range: "bytes=0-1,4-5" })).toMatchObject({ status: 200, body: bytes });
  expect(await ask({ range: "bytes=9-3" })).toMatchObject({ status: 200 });
  expect(await ask({ range: "bytes=0-9", "if-range": etag })).toMatchObject({
    status: 206,
    body: bytes.subarray(0, 10),
  });
  expect(await ask({ range: "bytes=0-9", "if-range": '"another"' })).toMatchObject({
    status: 200,
    body: bytes,
  });
  expect((await ask({ "if-none-match": etag })).status).toBe(304);
  expect((await ask({ "if-match": '"another"' })).status).toBe(412);
  expect(await ask({}, "HEAD")).toMatchObject({ status: 200, body: Buffer.alloc(0) });
  expect((await fetch(`${urlOf(fixture)}/v1/transfers/none:download`)).status).toBe(404);

  const put = async (name: string, body: Buffer, headers: Record<string, string> = {}) => {
    const response = await fetch(`${urlOf(fixture)}/v1/transfers/${name}`, {
      method: "PUT",
      body,
      headers,
    });
    return { status: response.status, body: (await response.json()) as object };
  };
  const reason = (text: string, more: object = {}) => ({
    body: { details: [expect.objectContaining({ reason: text, ...more })] },
  });
  const total = bytes.length;
  expect(
    await put("up", bytes.subarray(0, 100), { "content-range": `bytes 50-149/${total}` }),
  ).toMatchObject({
    status: 409,
    ...reason("TRANSFER_OFFSET", { metadata: { transfer: "up", committedBytes: "0" } }),
  });
  expect(
    await put("up", bytes.subarray(0, 100), { "content-range": `bytes 0-99/${total}` }),
  ).toMatchObject({ status: 200 });
  expect(
    await put("up", bytes.subarray(0, 100), { "content-range": `bytes 0-99/${total}` }),
  ).toMatchObject({ status: 200, body: { committedBytes: "100" } });
  expect(
    await put("up", Buffer.alloc(100), { "content-range": `bytes 0-99/${total}` }),
  ).toMatchObject({ status: 500, ...reason("TRANSFER_DAMAGED") });
  expect(
    await put("up", bytes.subarray(50, 200), { "content-range": `bytes 50-199/${total}` }),
  ).toMatchObject({ status: 200, body: { committedBytes: "200" } });
  expect(await put("up", Buffer.alloc(0), { "content-range": "bytes */*" })).toMatchObject({
    status: 200,
    body: { committedBytes: "200" },
  });
  expect(
    await put("up", bytes.subarray(200, 300), { "content-range": "bytes 200-300/*" }),
  ).toMatchObject({ status: 400 });
  expect(await put("up", bytes, { "content-range": "bytes first-last/all" })).toMatchObject({
    status: 400,
  });
  expect(await put("no%2Fname", bytes)).toMatchObject({ status: 400 });
  expect(
    await put("wrong", bytes, {
      "repr-digest": `sha-256=:${Buffer.alloc(32).toString("base64")}:`,
    }),
  ).toMatchObject({ status: 500, ...reason("TRANSFER_DAMAGED") });
});

test("a transfer resumes after a restart, expires, and is deleted on request", async () => {
  const fixture = await hostFixture();
  await fixture.put("one", { text: "x" });
  const { url, name } = await prepare(fixture);
  const bytes = Buffer.from(await (await fetch(`${url}:download`)).arrayBuffer());
  await fetch(`${urlOf(fixture)}/v1/transfers/up`, {
    method: "PUT",
    body: bytes.subarray(0, 500),
    headers: { "content-range": `bytes 0-499/${bytes.length}` },
  });
  const data = join(fixture.root, "data", "transfers", "up.bin");
  await fixture.stop();
  // Bytes beyond the durable part, as a kill can leave them.
  truncateSync(data, 700);
  await fixture.restart();
  const again = await fetch(`${urlOf(fixture)}/v1/transfers/${name}:download`, {
    headers: { range: "bytes=10-" },
  });
  expect(Buffer.from(await again.arrayBuffer()).equals(bytes.subarray(10))).toBe(true);
  expect(await (await fetch(`${urlOf(fixture)}/v1/transfers/up`)).json()).toMatchObject({
    committedBytes: "500",
    complete: false,
  });
  await fetch(`${urlOf(fixture)}/v1/transfers/up`, {
    method: "PUT",
    body: bytes.subarray(500),
    headers: { "content-range": `bytes 500-${bytes.length - 1}/${bytes.length}` },
  });
  expect(statSync(data).size).toBe(bytes.length);
  expect(await (await fetch(`${urlOf(fixture)}/v1/transfers`)).json()).toMatchObject({
    transfers: expect.arrayContaining([
      expect.objectContaining({ name: "transfers/up", complete: true }),
    ]) as object,
  });
  expect((await fetch(`${urlOf(fixture)}/v1/transfers/up`, { method: "DELETE" })).status).toBe(200);
  expect((await fetch(`${urlOf(fixture)}/v1/transfers/up`)).status).toBe(404);

  await fixture.restart({ transfers: { leaseMs: 50, maxCount: 2 } });
  await eventually(async () => {
    const answer = await fetch(`${urlOf(fixture)}/v1/transfers`);
    return ((await answer.json()) as { transfers: unknown[] }).transfers.length === 0;
  });
  await fixture.restart({ transfers: { maxCount: 1, maxBytes: 600 } });
  const put = async (transfer: string, size: number) =>
    (
      await fetch(`${urlOf(fixture)}/v1/transfers/${transfer}`, {
        method: "PUT",
        body: Buffer.alloc(size),
      })
    ).status;
  expect(await put("large", 601)).toBe(429);
  await fetch(`${urlOf(fixture)}/v1/transfers/large`, { method: "DELETE" });
  expect(await put("small", 600)).toBe(200);
  expect(await put("second", 1)).toBe(429);
});
