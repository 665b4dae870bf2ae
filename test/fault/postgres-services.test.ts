import { join } from "node:path";
import { hostServices } from "../../src/api/host-services.js";
import { authorizeMethods } from "../../src/api/policy/method-roles.js";
import { createHost, type Host } from "../../src/host/start.js";
import { createAccess } from "../../src/security/access.js";
import { openTokens } from "../../src/security/tokens.js";
import { factoryPath, serviceSuite } from "../contract/service-suite.js";
import { protocols, type Served } from "../contract/transports/all.js";
import { directTransport } from "../contract/transports/direct.js";
import { havePostgres, startPostgres, type PostgresServer } from "../support/postgres-server.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** What every protocol promises, asked of a host on PostgreSQL that leads, and of one that forwards to it. */

const tokens = "reader read\nwriter write";
let schemas = 0;

(havePostgres ? describe : describe.skip).each([
  ["leads", true],
  ["forwards to the leader", false],
])("a host on PostgreSQL that %s", (_what, asksLeader) => {
  const hosts: Host[] = [];
  let server: PostgresServer;
  let open: Served;
  let guarded: Served;

  const start = async (schema: string, more: { tokens?: string }) => {
    const host = await createHost({
      dataDirectory: join(temporaryDirectory(), "data"),
      httpPort: 0,
      grpcPort: 0,
      postgres: { url: server.url, schema },
      factories: [{ path: factoryPath, kind: "test:kind", indexLink: "/core/document-index" }],
      ...more,
    });
    hosts.push(host);
    return host;
  };
  const serve = async (more: { tokens?: string } = {}): Promise<Served> => {
    const schema = `services_${(schemas += 1)}`;
    const leader = await start(schema, more);
    const asked = asksLeader ? leader : await start(schema, more);
    return {
      services: hostServices({ ...leader, nowMicros: () => Date.now() * 1000 }),
      httpUrl: `http://127.0.0.1:${asked.httpAddress.port}`,
      id: asked.id,
      grpcUrl: `http://127.0.0.1:${asked.grpcAddress.port}`,
      ...(more.tokens !== undefined && {
        authorize: authorizeMethods(createAccess(openTokens(more.tokens), () => undefined)),
      }),
    };
  };

  beforeAll(async () => {
    server = await startPostgres();
    open = await serve();
    guarded = await serve({ tokens });
  });
  afterAll(async () => {
    for (const host of hosts.reverse()) await host.close();
  });

  describe.each(Object.entries(protocols))("%s", (_name, protocol) => {
    serviceSuite({
      protocol,
      hosts: () => ({ open, guarded, direct: directTransport(open.services, {}) }),
    });
  });
});
