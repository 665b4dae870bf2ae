import type { Client } from "pg";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { Lease, Member, MemberAddresses, Membership } from "../engine.js";
import type { PostgresAddress } from "./connect.js";
import { Lane } from "./lane.js";
import { fromPostgres, isLockTimeout } from "./postgres-error.js";
import { databaseClock, type Tables } from "./tables.js";
import { inTransaction } from "./transaction.js";

/** Options of PostgresMembership.enter. */
export interface MembershipOptions {
  address: PostgresAddress;
  tables: Tables;
  hostId: string;
  /** Tells hosts with the same id apart: equal after a restart on the same data directory. */
  installation: string;
  /** Identifies this run of the host. */
  randomId(): string;
  version: string;
  /** Name of the database in messages. */
  name: string;
  /** Receives failures to renew the membership, which is tried again. */
  onBackgroundError(error: unknown): void;
}

/** The rows of all hosts, as a beat reads them. */
interface MemberRow {
  id: string;
  http: string;
  grpc: string;
  tls: boolean;
  version: string;
  started: number;
  age: number;
  alive: boolean;
}

const beatMicros = limits.databaseLeaseMs * 1000;

/**
 * The hosts of a deployment, by rows that each renews and that end by themselves if it vanishes; and the lease of the
 * leader, whose term grows with each change. The clock is that of the database.
 */
export class PostgresMembership implements Membership {
  private readonly run: string;
  private addresses: MemberAddresses = { http: "", grpc: "", tls: false };
  private known: Member[] = [];
  private currentTerm: number | undefined;
  /** When the lease of this host ends by its own clock (performance.now), before it ends in the database. */
  private leaseEndsMs = 0;
  /** Until when this host leaves the lead to others. */
  private standsBackUntilMs = 0;
  private listener = () => {};
  private timer: NodeJS.Timeout | undefined;
  /** Beats run one after another. */
  private beating: Promise<void> = Promise.resolve();
  /** Whether a beat of the timer is under way: those of an outage must not wait for each other. */
  private ticking = false;
  private isFailing = false;
  private left = false;

  private constructor(
    private readonly options: MembershipOptions,
    private readonly lane: Lane,
  ) {
    this.run = options.randomId();
  }

  /** Joins the deployment, and leads it if no other host does. HOST_ID_IN_USE if another host has the same id. */
  static async enter(options: MembershipOptions): Promise<PostgresMembership> {
    const lane = new Lane(options.address, { deadlineMs: limits.databaseLeaseMs / 2 });
    const membership = new PostgresMembership(options, lane);
    try {
      await membership.beat();
      membership.timer = setInterval(() => membership.tick(), limits.databaseBeatMs).unref();
      return membership;
    } catch (thrown) {
      await lane.close();
      throw thrown;
    }
  }

  term(): number | undefined {
    return performance.now() < this.leaseEndsMs ? this.currentTerm : undefined;
  }

  lease(): Lease | undefined {
    const term = this.term();
    return term === undefined ? undefined : { term, run: this.run };
  }

  async standBack(): Promise<void> {
    this.standsBackUntilMs = performance.now() + limits.leaderStandBackMs;
    await this.beat();
  }

  leader(): Member | undefined {
    return this.known.find(({ isLeader }) => isLeader);
  }

  members(): readonly Member[] {
    return this.known;
  }

  async announce(addresses: MemberAddresses): Promise<void> {
    this.addresses = addresses;
    await this.beat();
  }

  onChange(listener: () => void): void {
    this.listener = listener;
  }

  async leave(): Promise<void> {
    this.left = true;
    clearInterval(this.timer);
    await this.beating.catch(() => {});
    const { tables, hostId } = this.options;
    // What stays ends by itself.
    await this.lane
      .use(async (client) => {
        await this.release(client);
        await client.query(`DELETE FROM ${tables.host} WHERE id = $1 AND run = $2`, [
          hostId,
          this.run,
        ]);
      })
      .catch(() => {});
    await this.lane.close();
  }

  /** Renews the row and the lease, and looks at those of the others. */
  private beat(): Promise<void> {
    const next = this.beating
      .catch(() => {})
      .then(async () => {
        if (this.left) return;
        const begunMs = performance.now();
        try {
          await this.lane.use(async (client) => {
            // Signs of life do not wait for a standby that is away, nor long for anybody else.
            const alone = { local: true, lockMs: limits.databaseBeatMs };
            const standsBack = begunMs < this.standsBackUntilMs;
            const renewed = await inTransaction(
              client,
              async () => {
                await this.renew(client);
                return standsBack ? this.release(client) : this.renewLease(client);
              },
              alone,
            );
            const term =
              renewed === undefined && !standsBack
                ? await inTransaction(client, () => this.campaign(client), alone).catch(ifLocked)
                : renewed;
            this.known = await this.look(client);
            this.leaseEndsMs = begunMs + limits.databaseLeaseMs - limits.databaseBeatMs;
            this.isFailing = false;
            this.lead(term);
          });
        } catch (thrown) {
          throw fromPostgres(thrown, `Renewing the membership in ${this.options.name}`);
        }
      });
    this.beating = next;
    return next;
  }

  private tick(): void {
    // By its own clock: while no beat succeeds, nobody tells this host that its lease has ended.
    if (this.term() === undefined) this.lead(undefined);
    if (this.ticking) return;
    this.ticking = true;
    void this.beat()
      .catch((error: unknown) => {
        // Once for an outage.
        if (!this.isFailing) this.options.onBackgroundError(error);
        this.isFailing = true;
      })
      .finally(() => (this.ticking = false));
  }

  private async renew(client: Client): Promise<void> {
    const { tables, hostId, installation, version, name } = this.options;
    const { http, grpc, tls } = this.addresses;
    const { rowCount } = await client.query(
      `INSERT INTO ${tables.host} AS h (id, installation, run, http, grpc, tls, version, started, until)
       VALUES ($1, $2, $3, $4, $5, $6, $7, ${databaseClock}, ${databaseClock} + $8)
       ON CONFLICT (id) DO UPDATE SET installation = $2, run = $3, http = $4, grpc = $5, tls = $6, version = $7,
         started = CASE WHEN h.run = $3 THEN h.started ELSE excluded.started END, until = excluded.until
       WHERE h.installation = $2 OR h.until < ${databaseClock}`,
      [hostId, installation, this.run, http, grpc, tls, version, beatMicros],
    );
    if (rowCount === 1) return;
    throw new HostError(
      "HOST_ID_IN_USE",
      `Another host with the id ${hostId} uses the schema ${tables.schema} of the database ${name}. Give each host an id of its own with --id; if the other one was killed, its claim ends within ${limits.databaseLeaseMs / 1000} s.`,
      { metadata: { hostId } },
    );
  }

  /** Returns the term if this host leads already. */
  private async renewLease(client: Client): Promise<number | undefined> {
    const { rows } = await client.query<{ term: number }>(
      `UPDATE ${this.options.tables.lease} SET until = ${databaseClock} + $2 WHERE name = 'leader' AND run = $1 RETURNING term`,
      [this.run, beatMicros],
    );
    return rows[0]?.term;
  }

  /** Takes the lease if it has ended, or was that of an earlier run of this host. Returns the term if it did. */
  private async campaign(client: Client): Promise<number | undefined> {
    const { tables, hostId } = this.options;
    // Waits for the changes of the leader that are under way: see `leads`.
    await client.query(
      `SELECT 1 FROM ${tables.lease} WHERE name = 'leader' AND (holder = $1 OR until < ${databaseClock}) FOR UPDATE`,
      [hostId],
    );
    const { rows } = await client.query<{ term: number }>(
      `INSERT INTO ${tables.lease} AS l (name, holder, run, term, until) VALUES ('leader', $1, $2, 1, ${databaseClock} + $3)
       ON CONFLICT (name) DO UPDATE SET holder = $1, run = $2, term = l.term + 1, until = excluded.until
       WHERE l.holder = $1 OR l.until < ${databaseClock} RETURNING term`,
      [hostId, this.run, beatMicros],
    );
    return rows[0]?.term;
  }

  /** Ends the lease of this host. */
  private async release(client: Client): Promise<undefined> {
    await client.query(
      `UPDATE ${this.options.tables.lease} SET until = 0 WHERE name = 'leader' AND run = $1`,
      [this.run],
    );
    return undefined;
  }

  private async look(client: Client): Promise<Member[]> {
    const { tables } = this.options;
    const { rows } = await client.query<MemberRow & { leads: boolean }>(
      `SELECT h.id, h.http, h.grpc, h.tls, h.version, h.started, h.until >= ${databaseClock} AS alive,
         greatest(${databaseClock} - (h.until - $1), 0) AS age,
         EXISTS (SELECT 1 FROM ${tables.lease} l WHERE l.name = 'leader' AND l.holder = h.id AND l.until >= ${databaseClock}) AS leads
       FROM ${tables.host} h WHERE h.until >= ${databaseClock} - $2 ORDER BY h.id LIMIT ${limits.databaseMembers}`,
      [beatMicros, limits.databaseMemberMs * 1000],
    );
    return rows.map(({ id, http, grpc, tls, version, started, age, alive, leads }) => ({
      id,
      addresses: { http, grpc, tls },
      version,
      startTimeMicros: started,
      lastSeenMicros: age,
      isAlive: alive,
      isLeader: leads,
    }));
  }

  private lead(term: number | undefined): void {
    if (term === this.currentTerm) return;
    this.currentTerm = term;
    this.listener();
  }
}

/** A change of the former leader is under way, which may wait for a standby: the next beat tries again. */
function ifLocked(thrown: unknown): undefined {
  if (!isLockTimeout(thrown)) throw thrown;
  return undefined;
}
