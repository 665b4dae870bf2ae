import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { DocumentService } from "../../gen/ts/holdfast/document/v1/document_pb.js";
import { eventually } from "../support/eventually.js";
import { factoryPath, hostFixture, type HostFixture } from "../support/host-fixture.js";

/** Many readers of a large document at once: some are refused, and the host lives. */

const link = `${factoryPath}/large`;
const readers = 40;

let fixture: HostFixture;
beforeAll(async () => {
  fixture = await hostFixture({}, undefined, true);
  await fixture.put("large", { text: "x".repeat(12_000_000) });
}, 60_000);

const viaRest = async () => {
  const { port } = fixture.host.httpAddress;
  const response = await fetch(`http://127.0.0.1:${port}/v1/documents${link}`);
  const body = await response.text();
  return response.status === 200 ? "OK" : body;
};
const via = (transport: Transport) => () =>
  createClient(DocumentService, transport)
    .getDocument({ selfLink: link })
    .then(
      () => "OK",
      (error: Error) => error.message,
    );
const protocols: [name: string, read: () => () => Promise<string>][] = [
  ["REST", () => viaRest],
  [
    "Connect",
    () =>
      via(
        createConnectTransport({
          baseUrl: `http://127.0.0.1:${fixture.host.httpAddress.port}`,
          httpVersion: "1.1",
        }),
      ),
  ],
  [
    "gRPC",
    () =>
      via(createGrpcTransport({ baseUrl: `http://127.0.0.1:${fixture.host.grpcAddress.port}` })),
  ],
];

test.each(protocols)(
  "%s: refuses what would not fit, and answers again afterwards",
  async (_name, reader) => {
    const read = reader();
    const answers = await Promise.all(Array.from({ length: readers }, read));
    const refused = answers.filter((answer) => answer !== "OK");
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(readers);
    for (const answer of refused) expect(answer).toContain("exceed the memory limit");
    // Nothing stays held.
    for (let round = 0; round < 6; round += 1)
      await eventually(async () => (await read()) === "OK");
  },
  120_000,
);
