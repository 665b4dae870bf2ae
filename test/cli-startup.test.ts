import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Returns the source files and packages that a file imports statically. Type imports do not count. */
function loadedBy(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, clause = "", source = ""] of readFileSync(file, "utf8").matchAll(
    /^(?:import|export) (?!type )([^;]*?)from "([^"]+)";/gms,
  )) {
    // An import of types only.
    if (/^\{(\s*type [^,}]+,?)+\s*\}\s*$/.test(clause)) continue;
    if (source.startsWith(".")) loadedBy(join(file, "..", source.replace(/\.js$/, ".ts")), seen);
    else if (!source.startsWith("node:")) seen.add(source);
  }
  return seen;
}

test("help and usage errors load only the definitions of commands", () => {
  const loaded = [...loadedBy("src/cli/main.ts")];
  expect(loaded).toContain("src/cli/commands/restore.ts");
  const light =
    /^src\/(cli\/(main|program|options|output-failure|lazy-action|flags)\.ts|cli\/commands\/[\w-]+\.ts|errors\.ts|host\/(settings|product-version)\.ts)$|^commander$/;
  expect(loaded.filter((name) => !light.test(name))).toEqual([]);
});

test.each(["inspect", "list"])(
  "%s on files loads no storage engine, connection or management messages",
  (verb) => {
    const loaded = [
      `src/cli/actions/${verb}.ts`,
      "src/cli/command-context.ts",
      `src/offline/${verb}.ts`,
    ].flatMap((file) => [...loadedBy(file)]);
    expect(loaded).toContain("src/container/directory-reader.ts");
    const heavy =
      /^gen\/ts\/(holdfast\/management|google|buf)|^src\/(engine|api|transport|client|destination\/http|host\/start|offline\/services)|^(@connectrpc|@grpc|@bufbuild\/protovalidate|better-sqlite3|unzipper|yaml|pino)/;
    expect(loaded.filter((name) => heavy.test(name))).toEqual([]);
  },
);
