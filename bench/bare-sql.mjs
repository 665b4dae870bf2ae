// The limit of backups and restores: what SQLite alone needs to copy the rows of a segment into another file, and to
// build an index of them with its unique key, each with an fsync at the end. Arguments: a segment, a directory.
// Prints both times in milliseconds as JSON. Checks nothing.
import Database from "better-sqlite3";
import { closeSync, fsyncSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";

const [segment, directory] = process.argv.slice(2);
const path = join(directory, "bare.sqlite");

function timed(keys) {
  rmSync(path, { force: true });
  const db = new Database(path);
  db.pragma("journal_mode = OFF");
  db.pragma("synchronous = OFF");
  db.prepare("ATTACH ? AS source").run(segment);
  const begun = performance.now();
  for (const sql of db.prepare("SELECT sql FROM source.sqlite_schema").pluck().all()) db.exec(sql);
  db.exec("INSERT INTO main.log SELECT * FROM source.log WHERE time > 0 ORDER BY time");
  for (const sql of keys) db.exec(sql);
  db.close();
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
  return performance.now() - begun;
}

const copyMs = timed([]);
const indexMs = timed(["CREATE UNIQUE INDEX log_version ON log (link, version)"]);
rmSync(path);
console.log(JSON.stringify({ copyMs, indexMs }));
