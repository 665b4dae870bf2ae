import { request as httpRequest } from "node:http";
import { credentials, type ClientDuplexStream } from "@grpc/grpc-js";
import {
  DocumentServiceClient,
  ExportDocumentsRequest,
  type ExportDocumentsResponse,
  type ImportDocumentsRequest,
  type ImportDocumentsResponse,
} from "../../clients/typescript/src/gen/holdfast/document/v1/document.js";
import { factoryPath, hostFixture, type HostFixture } from "../support/host-fixture.js";

let fixture: HostFixture;
let client: DocumentServiceClient;
// Runs before the host closes, which waits for its clients.
afterEach(() => client.close());
beforeEach(async () => {
  fixture = await hostFixture();
  client = new DocumentServiceClient(
    `127.0.0.1:${fixture.host.grpcAddress.port}`,
    credentials.createInsecure(),
  );
});

const url = () => `http://127.0.0.1:${fixture.host.httpAddress.port}`;
const importUrl = (more = "") => `${url()}/v1/documents:import?factory_link=${factoryPath}${more}`;
const exported = async () =>
  (await fetch(`${url()}/v1/documents:export?factory_link=${factoryPath}`)).text();
async function send(body: string, more = "", type = "application/x-ndjson") {
  const response = await fetch(importUrl(more), {
    method: "POST",
    headers: { "content-type": type },
    body,
  });
  const text = await response.text();
  return {
    status: response.status,
    lines: text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}
const lines = (count: number, from = 0) =>
  Array.from(
    { length: count },
    (_, i) => `{"documentSelfLink":"n${from + i}","big":9007199254740993,"text":"${i}"}\n`,
  ).join("");

test("imports an export; a repeated import writes nothing", async () => {
  expect(await send(lines(1000))).toEqual({
    status: 200,
    lines: [{ documents: "1000", created: "1000", replaced: "0", unchanged: "0", done: true }],
  });
  const text = await exported();
  expect(text.trim().split("\n")).toHaveLength(1000);
  expect(text).toContain('"big":9007199254740993');
  const before = await fixture.contents();
  expect((await send(text)).lines.at(-1)).toMatchObject({ unchanged: "1000", created: "0" });
  await fixture.put("n5", { changed: true });
  await fixture.host.documents.delete(`${factoryPath}/n6`);
  expect((await send(text)).lines.at(-1)).toMatchObject({
    unchanged: "998",
    created: "1",
    replaced: "1",
  });
  expect(await fixture.contents()).toEqual(before);
});

test("writes the versions of one document in the order of the import", async () => {
  const body = Array.from(
    { length: 100 },
    (_, i) => `{"documentSelfLink":"one","turn":${i}}\n`,
  ).join("");
  expect((await send(body)).lines.at(-1)).toMatchObject({
    documents: "100",
    created: "1",
    replaced: "99",
  });
  expect(await fixture.contents()).toEqual({ one: '{"turn":99}' });
});

test("stops at a document that cannot be written, reports its line, and can resume", async () => {
  const broken = await send(`${lines(10)}{"documentSelfLink":"n10"\n${lines(10, 11)}`);
  expect(broken).toMatchObject({
    status: 400,
    lines: [
      {
        details: [
          expect.objectContaining({ reason: "JSON_INVALID", metadata: { documents: "10" } }),
        ],
      },
    ],
  });
  expect(Object.keys(await fixture.contents()).length).toBeGreaterThanOrEqual(10);
  const mended = await send(`${lines(10)}{"documentSelfLink":"n10"}\n${lines(10, 11)}`, "&skip=10");
  expect(mended.lines.at(-1)).toMatchObject({ documents: "21", done: true });
  expect(Object.keys(await fixture.contents())).toHaveLength(21);
});

test("rejects an absolute link of another factory", async () => {
  const mixed = `${lines(2)}{"documentSelfLink":"/core/examples/ada","name":"Ada"}\n`;
  expect(await send(mixed)).toMatchObject({
    status: 400,
    lines: [
      {
        message: expect.stringMatching(
          /does not belong to \/things.*The 2 preceding documents were written/,
        ),
        details: [
          expect.objectContaining({
            reason: "LINK_INVALID",
            metadata: expect.objectContaining({ documents: "2" }) as object,
          }),
        ],
      },
    ],
  });
  expect(Object.keys(await fixture.contents())).toEqual(["n0", "n1"]);
});

test("reports the last imported line if a line is not valid JSON", async () => {
  for (const line of [Buffer.from([0x7b, 0xff, 0x7d, 0x0a]), Buffer.alloc(17 << 20, 0x61)]) {
    const body = Buffer.concat([Buffer.from(lines(300)), line]);
    const response = await fetch(importUrl(), {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body,
    });
    expect(await response.json()).toMatchObject({
      details: [expect.objectContaining({ metadata: { documents: "300" } })],
    });
  }
  expect(Object.keys(await fixture.contents())).toHaveLength(300);
});

test.each<[string, () => Promise<{ status: number }>, number]>([
  [
    "an unknown parameter",
    () => fetch(`${url()}/v1/documents:export?factory_link=${factoryPath}&nope=1`),
    400,
  ],
  ["no factory", () => fetch(`${url()}/v1/documents:export`), 400],
  ["an unknown factory", () => fetch(`${url()}/v1/documents:export?factory_link=/core/none`), 404],
  [
    "a bad filter",
    () => fetch(`${url()}/v1/documents:export?factory_link=${factoryPath}&filter=((`),
    400,
  ],
  ["a form", () => send(lines(1), "", "application/x-www-form-urlencoded"), 400],
  ["a document without a link", () => send('{"a":1}\n'), 400],
  ["an invalid skip", () => send(lines(1), "&skip=-1"), 400],
  [
    "invalid UTF-8",
    () =>
      fetch(importUrl(), {
        method: "POST",
        headers: { "content-type": "application/x-ndjson" },
        body: Buffer.from([0x7b, 0xff, 0x7d]),
      }),
    400,
  ],
  [
    "a line above the limit",
    () =>
      fetch(importUrl(), {
        method: "POST",
        headers: { "content-type": "application/x-ndjson" },
        body: Buffer.alloc(17 << 20, 0x61),
      }),
    413,
  ],
])("rejects %s", async (_name, ask, status) => {
  expect((await ask()).status).toBe(status);
});

test("over HTTP reports progress while the client sends, and resumes an interrupted import", async () => {
  const chunks: string[] = [];
  const request = httpRequest(importUrl(), {
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
  });
  request.on("error", () => {});
  request.on("response", (response) =>
    response
      .setEncoding("utf8")
      .on("data", (text: string) => chunks.push(text))
      .on("error", () => {}),
  );
  for (let i = 0; chunks.length === 0 && i < 200; i += 1) {
    request.write(lines(10, i * 10));
    // Spreads the upload, so that progress is reported before its end.
    await new Promise((done) => setTimeout(done, 20));
  }
  request.destroy();
  const { documents } = JSON.parse(chunks[0]?.split("\n")[0] ?? "{}") as { documents: string };
  expect(Number(documents)).toBeGreaterThan(0);
  expect(Object.keys(await fixture.contents()).length).toBeGreaterThanOrEqual(Number(documents));
  const rest = await send(lines(3000), `&skip=${documents}`);
  expect(rest.lines.at(-1)).toMatchObject({ documents: "3000", done: true });
  expect(Object.keys(await fixture.contents())).toHaveLength(3000);
});

test("over gRPC reports progress, keeps the order, and resumes an export at the same point in time", async () => {
  const call: ClientDuplexStream<ImportDocumentsRequest, ImportDocumentsResponse> =
    client.importDocuments();
  call.write({ message: { $case: "header", value: { factoryLink: factoryPath, skip: 0n } } });
  for (let i = 0; i < 2500; i += 1)
    call.write({
      message: {
        $case: "document",
        value: Buffer.from(`{"documentSelfLink":"n${String(i).padStart(4, "0")}","i":${i}}`),
      },
    });
  call.end();
  const seen: ImportDocumentsResponse[] = [];
  for await (const one of call as AsyncIterable<ImportDocumentsResponse>) seen.push(one);
  expect(seen.at(-1)).toMatchObject({ documents: 2500n, created: 2500n, done: true });

  const pages: ExportDocumentsResponse[] = [];
  const cut = client.exportDocuments(
    ExportDocumentsRequest.fromPartial({ factoryLink: factoryPath }),
  );
  for await (const page of cut as AsyncIterable<ExportDocumentsResponse>) {
    pages.push(page);
    break;
  }
  cut.cancel();
  const [first] = pages;
  await fixture.host.documents.delete(`${factoryPath}/n2400`);
  const rest: ExportDocumentsResponse[] = [];
  for await (const page of client.exportDocuments(
    ExportDocumentsRequest.fromPartial({
      factoryLink: factoryPath,
      resumeToken: first?.resumeToken ?? "",
    }),
  ) as AsyncIterable<ExportDocumentsResponse>)
    rest.push(page);
  const links = [...pages, ...rest].flatMap(({ documents }) =>
    documents.map(({ selfLink }) => selfLink),
  );
  expect(new Set(links).size).toBe(2500);
  expect(links).toContain(`${factoryPath}/n2400`);
  expect(rest.at(-1)?.resumeToken).toBe("");
});
