// What tsc does not do: it has written the types; this bundles the code. A start then reads some tens of files in place of some
// six hundred, and a thread or child process reads one. Packages of many small modules are bundled with it; all others stay
// outside and are resolved as ever.
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const { dependencies, engines } = JSON.parse(readFileSync("package.json", "utf8"));
// In chunks only what is ES modules: import() of a CommonJS package would give the chunk's default alone, and none of its names.
const inChunks = ["@bufbuild/protobuf", "@bufbuild/protovalidate", "@connectrpc/connect", "@connectrpc/connect-node"];
const inEntries = [...inChunks, "archiver", "unzipper"];
// The last is for archives in a cloud's store, which nobody here reads.
const outside = (bundled) => [...Object.keys(dependencies).filter((name) => !bundled.includes(name)).flatMap((name) => [name, `${name}/*`]), "@aws-sdk/*"];
const paths = (names) => names.map((name) => `src/${name}.ts`);
const options = {
  outbase: ".",
  outdir: "dist",
  bundle: true,
  platform: "node",
  target: `node${engines.node.replace(">=", "")}`,
  logLevel: "warning",
  metafile: true,
};

// The last three are what tests and benchmarks run outside of jest; they are parts of the first two.
const shared = await build({
  ...options,
  entryPoints: paths(["cli/main", "index", "host", "io/seams", "engine/sqlite/kit"]),
  external: outside(inChunks),
  format: "esm",
  splitting: true,
  chunkNames: "src/chunks/[name]-[hash]",
});

// Each whole and CommonJS, which Node loads in a thread in two thirds of the time.
const own = readFileSync("src/io/entry.ts", "utf8").match(/(?<=^ {2}\| ")[^"]+/gm) ?? [];
if (own.length === 0) throw new Error("src/io/entry.ts names no entry any more.");
const whole = await build({
  ...options,
  entryPoints: paths(own),
  external: outside(inEntries),
  format: "cjs",
  outExtension: { ".js": ".cjs" },
  banner: { js: 'const ownUrl = require("node:url").pathToFileURL(__filename).href;' },
  define: { "import.meta.url": "ownUrl" },
});

writeFileSync("dist/licenses.txt", licensesOf([shared, whole].flatMap(({ metafile }) => Object.keys(metafile.inputs))));

/** The licenses of the packages that the files are of. */
function licensesOf(files) {
  const packages = new Set(files.map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]).filter((path) => path !== undefined));
  const texts = [...packages].sort().map((path) => {
    const { name, version, license } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
    const file = readdirSync(path).find((entry) => /^licen[cs]e/i.test(entry));
    return `${name} ${version}, license ${license}\n\n${file === undefined ? "" : readFileSync(join(path, file), "utf8").trim()}\n`;
  });
  return `Parts of these packages are in the files beside this one.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

// The command must be executable.
chmodSync("dist/src/cli/main.js", 0o755);
