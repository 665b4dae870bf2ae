import { to as copyTo } from "pg-copy-streams";
import { crc32 } from "node:zlib";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { logColumns } from "../../segment/tables.js";
import { pruneChecksum } from "../../segment/row.js";
import type { IndexCheck } from "../engine.js";
import { connect, hangUp, type PostgresAddress } from "./connect.js";
import { copiedRows, type CopiedRow } from "./copy-format.js";
import { tablesOf } from "./tables.js";

/** A generation to check. */
export interface PostgresCheckTask {
  address: PostgresAddress;
  schema: string;
  generation: number;
  /** Names the index in errors. */
  name: string;
}

/**
 * Compares the checksum of each version and compaction of a generation, and the counts, in one state of it.
 * INDEX_DAMAGED names the damage.
 */
export async function checkGeneration(
  { address, schema, generation, name }: PostgresCheckTask,
  onRows: (rows: number) => void,
): Promise<IndexCheck> {
  const tables = tablesOf(schema);
  const client = await connect(address);
  const problems: string[] = [];
  const note = (problem: string) => {
    if (problems.length < limits.checkProblems) problems.push(problem);
  };
  try {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const { rows: counted } = await client.query<{ documents: number; versions: number }>(
      `SELECT documents, versions FROM ${tables.generation} WHERE number = $1`,
      [generation],
    );
    let records = 0;
    let bytes = 0;
    let documents = 0;
    let link: string | undefined;
    let isLive = false;
    // In the order of the unique index, so that each document is counted by its last version.
    const rows = copiedRows(
      client.query(
        copyTo(
          `COPY (SELECT ${logColumns} FROM ${tables.log(generation)} ORDER BY link, version) TO STDOUT (FORMAT binary)`,
        ),
      ),
    );
    for await (const part of rows)
      for (const row of part) {
        const text = checksumText(row);
        const next = row[1].toString("utf8");
        if (crc32(text) !== row[7])
          note(`version ${row[2]} of ${JSON.stringify(next)} does not match its checksum`);
        if (next !== link && link !== undefined && isLive) documents += 1;
        link = next;
        isLive = row[3].toString("latin1") !== "DELETE";
        bytes += text.length;
        records += 1;
        if (records % limits.scanRows === 0) onRows(records);
      }
    if (isLive) documents += 1;
    const { rows: pruned } = await client.query<{
      link: string;
      time: number;
      version: number;
      since: number;
      until: number;
      crc: number;
    }>(`SELECT * FROM ${tables.prune(generation)}`);
    for (const { link: of, time, version, since, until, crc } of pruned)
      if (pruneChecksum(of, time, version, since, until) !== crc)
        note(`the record of the compaction of ${JSON.stringify(of)} does not match its checksum`);
    await client.query("COMMIT");
    const [recorded] = counted;
    if (recorded?.documents !== documents || recorded.versions !== records)
      note(
        `it records ${recorded?.documents ?? 0} documents with ${recorded?.versions ?? 0} versions, and its log contains ${documents} with ${records}`,
      );
    if (problems.length === 0) return { records, bytes, documents, versions: records };
  } finally {
    await hangUp(client);
  }
  throw new HostError(
    "INDEX_DAMAGED",
    `The index ${name} is damaged: ${problems.join("; ")}. Restore the newest backup that passes a full verification.`,
    { metadata: { problems: String(problems.length) } },
  );
}

/** Returns the text that the checksum of a version covers. */
function checksumText([
  time,
  link,
  version,
  action,
  kind,
  owner,
  expires,
  ,
  body,
]: CopiedRow): string {
  return [time, link, version, action, kind, owner, expires, body]
    .map((field) => (typeof field === "number" ? String(field) : field.toString("utf8")))
    .join("\n");
}
