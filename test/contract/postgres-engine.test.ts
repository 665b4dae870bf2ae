import { openPostgres } from "../../src/engine/registry.js";
import { long } from "../support/long.js";
import {
  havePostgres,
  postgresReleases,
  startPostgres,
  type PostgresServer,
} from "../support/postgres-server.js";
import { engineContract } from "./engine-suite.js";

/** All releases that are installed; in npm test, the oldest. */
const releases = long ? postgresReleases : postgresReleases.slice(0, 1);
let schemas = 0;

(havePostgres ? describe.each(releases) : describe.skip.each([0]))("PostgreSQL %s", (release) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ release });
  });
  engineContract(`PostgreSQL ${release}`, (options) =>
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
