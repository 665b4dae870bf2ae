// The limit of a check of rows: reads a half of the rows of a segment with SQLite, a thousand at a time, which parses
// their bodies, and computes the CRC-32 of these. Compares nothing. Arguments: a segment, the number of its rows, "first" or "second".
import Database from "better-sqlite3";
import { crc32 } from "node:zlib";

const [segment, count, half] = process.argv.slice(2);
const db = new Database(segment, { readonly: true });
const middle = db
  .prepare("SELECT time FROM log ORDER BY time LIMIT 1 OFFSET ?")
  .pluck()
  .get(Math.floor(Number(count) / 2));
const read = db.prepare(
  `SELECT max(time) AS last, count(*) AS rows, sum(json_valid(body)) AS valid, CAST(group_concat(body, '') AS BLOB) AS text
   FROM (SELECT time, body FROM log WHERE time > ? AND time <= ? ORDER BY time LIMIT 1000)`,
);
const upTo = half === "first" ? middle : Number.MAX_SAFE_INTEGER;
for (let after = half === "first" ? 0 : middle; ;) {
  const { last, rows, text } = read.get(after, upTo);
  if (rows === 0) break;
  crc32(text);
  after = last;
}
