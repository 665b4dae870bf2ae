// The reference of ZIP backups: a file deflated at level 1 on one core, written and synced. Arguments: source, target.
import { createReadStream, createWriteStream, fsyncSync, openSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createDeflateRaw } from "node:zlib";

const [source, target] = process.argv.slice(2);
const chunkSize = 1024 * 1024;
await pipeline(
  createReadStream(source, { highWaterMark: chunkSize }),
  createDeflateRaw({ level: 1, chunkSize }),
  createWriteStream(target),
);
fsyncSync(openSync(target, "r"));
