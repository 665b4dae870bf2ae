import { openPostgres } from "../../src/engine/registry.js";
import { havePostgres, startPostgres, type PostgresServer } from "../support/postgres-server.js";
import { engineContract } from "./engine-suite.js";

let server: PostgresServer;
let schemas = 0;

(havePostgres ? describe : describe.skip)("PostgreSQL", () => {
  beforeAll(async () => {
    server = await startPostgres();
  });
  engineContract("PostgreSQL", (options) =>
    openPostgres(options, {
      address: { url: server.url },
      schema: `test_${(schemas += 1)}`,
      hostId: "host-1",
      installation: "test",
      version: "1.0.0",
      ownClock: true,
      onBackgroundError: (error) => console.error(error),
    }),
  );
});
