import { readFileSync } from "node:fs";
import { join } from "node:path";

/** All that a file loads before it does anything: files of ours, and packages. Types are gone by then. */
function loadedBy(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, clause = "", source = ""] of readFileSync(file, "utf8").matchAll(
    /^(?:import|export) (?!type )([^;]*?)from "([^"]+)";/gms,
  )) {
    // Braces that hold types alone.
    if (/^\{(\s*type [^,}]+,?)+\s*\}\s*$/.test(clause)) continue;
    if (source.startsWith(".")) loadedBy(join(file, "..", source.replace(/\.js$/, ".ts")), seen);
    else if (!source.startsWith("node:")) seen.add(source);
  }
  return seen;
}

test("help and a misspelt command load the commands' definitions, and nothing of what they do", () => {
  const loaded = [...loadedBy("src/cli/main.ts")];
  expect(loaded).toContain("src/cli/commands/restore.ts");
  const light =
    /^src\/(cli\/(main|program|options|output-loss|perform|flags)\.ts|cli\/commands\/\w+\.ts|errors\.ts|host\/(settings|product-version)\.ts)$|^commander$/;
  expect(loaded.filter((name) => !light.test(name))).toEqual([]);
});

test.each(["inspect", "list"])(
  "%s, of files, loads neither an engine nor a connection, nor the messages of management",
  (verb) => {
    const loaded = [
      `src/cli/actions/${verb}.ts`,
      "src/cli/run.ts",
      `src/offline/${verb}.ts`,
    ].flatMap((file) => [...loadedBy(file)]);
    expect(loaded).toContain("src/container/directory-reader.ts");
    const heavy =
      /^gen\/ts\/(holdfast\/management|google|buf)|^src\/(engine|api|transport|client|destination\/http|host\/start|offline\/services)|^(@connectrpc|@grpc|@bufbuild\/protovalidate|better-sqlite3|unzipper|yaml|pino)/;
    expect(loaded.filter((name) => heavy.test(name))).toEqual([]);
  },
);
