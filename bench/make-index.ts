import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const here = import.meta.dirname ?? __dirname;

/** Makes a data directory of so many documents below /bench, each with so many versions, by made-index.ts; its path. */
export async function makeIndex(
  directory: string,
  documents: number,
  versions: number,
  bytes: number,
): Promise<string> {
  const numbers = [documents, versions, bytes].map(String);
  const script = join(here, "made-index.ts");
  const command = ["--import", "tsx", script, directory, "/bench", ...numbers];
  await promisify(execFile)(process.execPath, command);
  return directory;
}
