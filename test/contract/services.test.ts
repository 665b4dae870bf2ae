import { join } from "node:path";
import { createHost, type Host } from "../../src/host/start.js";
import { createAccess } from "../../src/security/access.js";
import { openTokens } from "../../src/security/tokens.js";
import { hostServices } from "../../src/api/host-services.js";
import { authorizeMethods } from "../../src/api/policy/method-roles.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { factoryPath, serviceSuite } from "./service-suite.js";
import { directTransport } from "./transports/direct.js";
import { protocols, type Served } from "./transports/all.js";

const tokens = "reader read\nwriter write";
const hosts: Host[] = [];
let open: Served;
let guarded: Served;

async function serve(more: { tokens?: string } = {}): Promise<Served> {
  const factories = [{ path: factoryPath, kind: "test:kind", indexLink: "/core/document-index" }];
  const host = await createHost({
    dataDirectory: join(temporaryDirectory(), "data"),
    httpPort: 0,
    grpcPort: 0,
    factories,
    ...more,
  });
  hosts.push(host);
  return {
    services: hostServices({ ...host, nowMicros: () => Date.now() * 1000 }),
    httpUrl: `http://127.0.0.1:${host.httpAddress.port}`,
    grpcUrl: `http://127.0.0.1:${host.grpcAddress.port}`,
    ...(more.tokens !== undefined && {
      authorize: authorizeMethods(createAccess(openTokens(more.tokens), () => undefined)),
    }),
  };
}

beforeAll(async () => {
  open = await serve();
  guarded = await serve({ tokens });
});
afterAll(() => Promise.all(hosts.map((host) => host.close())));

describe.each(Object.entries(protocols))("%s", (_name, protocol) => {
  serviceSuite({
    protocol,
    hosts: () => ({ open, guarded, direct: directTransport(open.services, {}) }),
  });
});
