import { historyContract, type HistoryFixture } from "../model/history-suite.js";
import { eventually } from "../support/eventually.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { havePostgres, startPostgres, type PostgresServer } from "../support/postgres-server.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** Two hosts on one database as one: each request goes to one of them, and a restart is one of either. */
class Pair implements HistoryFixture {
  private turn = 0;

  private constructor(private readonly hosts: readonly [HostFixture, HostFixture]) {}

  static async open(url: string, schema: string): Promise<Pair> {
    const start = (id: string) =>
      hostFixture({ postgres: { url, schema }, id }, temporaryDirectory());
    return new Pair([await start("a"), await start("b")]);
  }

  get host(): HistoryFixture["host"] {
    return { documents: this.any.host.documents, management: this.leader().host.management };
  }

  put(name: string, body: object): Promise<number> {
    return this.any.put(name, body);
  }

  contents(): Promise<Record<string, string>> {
    return this.any.contents();
  }

  backup(name: string, request: object = {}): ReturnType<HostFixture["backup"]> {
    return this.leader().backup(name, { destination: this.uri(name), ...request });
  }

  restore(name: string, request: object = {}): ReturnType<HostFixture["restore"]> {
    return this.leader().restore(name, { source: this.uri(name), ...request });
  }

  finish<T>(started: Parameters<HostFixture["finish"]>[0]): Promise<T> {
    return this.leader().finish<T>(started);
  }

  /** The other one leads then, or goes on to. */
  async restart(): Promise<void> {
    await this.any.restart();
    await eventually(() => this.leading !== undefined);
  }

  async stop(): Promise<void> {
    for (const one of this.hosts) await one.stop();
  }

  /** Both reach the directories of the first one. */
  uri(name: string): string {
    return this.hosts[0].uri(name);
  }

  private get any(): HostFixture {
    this.turn += 1;
    // Not strictly in turn, so that each sees writes of its own and of the other.
    return this.hosts[(this.turn >> 1) % 2 === 0 ? 0 : 1];
  }

  private get leading(): HostFixture | undefined {
    return this.hosts.find(({ host }) => {
      try {
        return host.operations.list(1);
      } catch {
        return false;
      }
    });
  }

  private leader(): HostFixture {
    const found = this.leading;
    if (!found) throw new Error("no host leads");
    return found;
  }
}

(havePostgres ? describe : describe.skip)("PostgreSQL", () => {
  let server: PostgresServer;
  let schemas = 0;
  beforeAll(async () => {
    server = await startPostgres();
  });
  historyContract("two hosts", async () => ({
    fixture: await Pair.open(server.url, `history_${(schemas += 1)}`),
    clock: { micros: 0 },
  }));
});
