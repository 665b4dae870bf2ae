import type { Client } from "pg";
import { HostError } from "../../errors.js";
import { countedActions, minuteColumns, minuteMicros } from "../activity.js";
import { inTransaction } from "./transaction.js";

/** Version of the tables. The format of backups has a version of its own. */
export const formatVersion = 3;

/** Names of the tables of a deployment, which are all in one schema of PostgreSQL. */
export interface Tables {
  schema: string;
  /** Has one row for each index, whose lock orders the writes of all hosts. */
  idx: string;
  generation: string;
  generationNumber: string;
  pin: string;
  setting: string;
  host: string;
  lease: string;
  /** Small files of the leader. */
  state: string;
  log(generation: number): string;
  prune(generation: number): string;
  /** Links with more versions than are kept. */
  overfull(generation: number): string;
  /** Counts of the versions of each minute. */
  activity(generation: number): string;
}

/** Names that need no quotes within the quotes. */
const schemaName = /^[a-z_][a-z0-9_]{0,40}$/;

/** CONFIGURATION_INVALID for a name that is not a plain one. */
export function tablesOf(schema: string): Tables {
  if (!schemaName.test(schema))
    throw new HostError(
      "CONFIGURATION_INVALID",
      `The PostgreSQL schema ${JSON.stringify(schema.slice(0, 100))} is invalid: use lower-case letters, digits and underscores.`,
    );
  const name = (table: string) => `"${schema}"."${table}"`;
  return {
    schema,
    idx: name("idx"),
    generation: name("generation"),
    generationNumber: name("generation_number"),
    pin: name("pin"),
    setting: name("setting"),
    host: name("host"),
    lease: name("lease"),
    state: name("state"),
    log: (generation) => name(`log_${generation}`),
    prune: (generation) => name(`prune_${generation}`),
    overfull: (generation) => name(`overfull_${generation}`),
    activity: (generation) => name(`activity_${generation}`),
  };
}

/** Microseconds since 1970 by the clock of the database. */
export const databaseClock = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/** Tables of a later format than those before, by the format that they came with. */
const tablesByFormat = (tables: Tables): [format: number, statements: string[]][] => {
  const { idx, generation, generationNumber, pin, setting, host, lease, state } = tables;
  return [
    [
      1,
      [
        `CREATE TABLE ${setting} (name text PRIMARY KEY, value text NOT NULL)`,
        `CREATE SEQUENCE ${generationNumber}`,
        `CREATE TABLE ${idx} (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, link text COLLATE "C" NOT NULL UNIQUE,
           index_id text NOT NULL, live integer NOT NULL, previous integer, last bigint NOT NULL,
           fence text, fence_until bigint NOT NULL DEFAULT 0) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0)`,
        `CREATE TABLE ${generation} (number integer PRIMARY KEY, idx integer NOT NULL, lineage text NOT NULL, parents text NOT NULL,
           documents bigint NOT NULL, versions bigint NOT NULL, expiry_expires bigint NOT NULL DEFAULT 0, expiry_time bigint NOT NULL DEFAULT 0,
           retained bigint, builder text NOT NULL, was_live boolean NOT NULL DEFAULT false) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0)`,
        `CREATE TABLE ${pin} (id text PRIMARY KEY, idx integer NOT NULL, generation integer NOT NULL, host text NOT NULL, until bigint NOT NULL)`,
      ],
    ],
    [
      2,
      [
        // Format 1 was for one host at a time.
        `DROP TABLE IF EXISTS ${host}`,
        `CREATE TABLE ${host} (id text PRIMARY KEY, installation text NOT NULL, run text NOT NULL, http text NOT NULL, grpc text NOT NULL,
           tls boolean NOT NULL, version text NOT NULL, started bigint NOT NULL, until bigint NOT NULL) WITH (fillfactor = 10)`,
        `CREATE TABLE ${lease} (name text PRIMARY KEY, holder text NOT NULL, run text NOT NULL, term bigint NOT NULL, until bigint NOT NULL) WITH (fillfactor = 10)`,
        `CREATE TABLE ${state} (path text COLLATE "C" PRIMARY KEY, content bytea NOT NULL)`,
      ],
    ],
  ];
};

/**
 * Creates the tables that all indexes share, or those that an earlier release did not have. Hosts that start at once
 * wait for each other: the lock ends with the transaction, so that it works through PgBouncer too. FORMAT_TOO_NEW.
 */
export async function createTables(client: Client, tables: Tables): Promise<void> {
  const { schema, setting } = tables;
  await inTransaction(client, async () => {
    await client.query("SELECT pg_advisory_xact_lock(hashtextextended('holdfast ' || $1, 0))", [
      schema,
    ]);
    const found = await formatOf(client, tables);
    if (found === formatVersion) return;
    // It needs a right that the owner of a schema that exists may not have.
    const { rowCount } = await client.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", [
      schema,
    ]);
    if (rowCount === 0) await client.query(`CREATE SCHEMA "${schema}"`);
    for (const [format, statements] of tablesByFormat(tables))
      if (format > found) for (const statement of statements) await client.query(statement);
    if (found > 0 && found < 3) await addActivity(client, tables);
    await client.query(
      `INSERT INTO ${setting} VALUES ('format', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
      [String(formatVersion)],
    );
  });
}

/** Counts the generations of an earlier format. */
async function addActivity(client: Client, tables: Tables): Promise<void> {
  const { rows } = await client.query<{ number: number }>(
    `SELECT number FROM ${tables.generation}`,
  );
  for (const { number } of rows) {
    await client.query(createActivity(tables, number));
    await client.query(countActivity(tables, number));
  }
}

/** Returns the format of the tables; 0 if there are none. FORMAT_TOO_NEW, INDEX_DAMAGED. */
export async function formatOf(client: Client, { setting, schema }: Tables): Promise<number> {
  const { rows: found } = await client.query<{ exists: boolean }>(
    "SELECT to_regclass($1) IS NOT NULL AS exists",
    [setting],
  );
  if (!found[0]?.exists) return 0;
  const { rows } = await client.query<{ value: string }>(
    `SELECT value FROM ${setting} WHERE name = 'format'`,
  );
  const format = Number(rows[0]?.value);
  if (format > formatVersion)
    throw new HostError(
      "FORMAT_TOO_NEW",
      `The schema ${schema} of the database has format ${format}; this host supports formats up to ${formatVersion}. Run the newer version that wrote it.`,
    );
  if (format >= 1) return format;
  throw new HostError(
    "INDEX_DAMAGED",
    `The schema ${schema} of the database is damaged or not one of Holdfast: its format is missing.`,
  );
}

/** The tables of a generation, without the indexes of its log. */
export const generationTables = (tables: Tables, number: number): string[] => [
  `CREATE TABLE ${tables.log(number)} (time bigint NOT NULL, link text COLLATE "C" NOT NULL, version bigint NOT NULL,
     action text NOT NULL, kind text COLLATE "C" NOT NULL, owner text NOT NULL, expires bigint NOT NULL, crc bigint NOT NULL, body text NOT NULL)`,
  `CREATE TABLE ${tables.prune(number)} (link text COLLATE "C" PRIMARY KEY, time bigint NOT NULL, version bigint NOT NULL,
     since bigint NOT NULL, until bigint NOT NULL, crc bigint NOT NULL)`,
  `CREATE TABLE ${tables.overfull(number)} (link text COLLATE "C" PRIMARY KEY)`,
  createActivity(tables, number),
];

const createActivity = (tables: Tables, number: number) =>
  `CREATE TABLE ${tables.activity(number)} (minute bigint PRIMARY KEY, created bigint NOT NULL, updated bigint NOT NULL, deleted bigint NOT NULL)
     WITH (fillfactor = 50)`;

/** Counts the log of a generation. */
export const countActivity = (tables: Tables, number: number): string =>
  `INSERT INTO ${tables.activity(number)} (${minuteColumns})
   SELECT time / ${minuteMicros}, ${countedActions} FROM ${tables.log(number)} GROUP BY 1`;

/** The indexes of a generation. A build creates them after loading the rows, which is faster. */
export const generationIndexes = (tables: Tables, number: number): string[] => [
  `ALTER TABLE ${tables.log(number)} ADD PRIMARY KEY (time)`,
  `CREATE UNIQUE INDEX ON ${tables.log(number)} (link, version) INCLUDE (time, action)`,
  `CREATE INDEX ON ${tables.log(number)} (expires, time) WHERE expires > 0`,
  `CREATE INDEX ON ${tables.prune(number)} (until)`,
  `CREATE INDEX ON ${tables.prune(number)} (time)`,
];

export const dropGeneration = (tables: Tables, number: number): string =>
  `DROP TABLE IF EXISTS ${tables.log(number)}, ${tables.prune(number)}, ${tables.overfull(number)}, ${tables.activity(number)}`;

/** The columns of a log row, in the order of CheckedRow. */
export const rowColumns = "time, link, version, action, kind, owner, expires, body, crc";
