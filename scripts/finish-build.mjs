// What tsc does not do: it has written the types; this bundles the code. A start then reads some ten files in place of some
// three hundred, and a thread or child process reads one. Packages stay outside and are resolved as ever, but for those of
// archives in the process that packs them, which is started for each archive and took most of its time to load them.
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const { dependencies, engines } = JSON.parse(readFileSync("package.json", "utf8"));
const paths = (names) => names.map((name) => `src/${name}.ts`);
const options = {
  outbase: ".",
  outdir: "dist",
  bundle: true,
  platform: "node",
  target: `node${engines.node.replace(">=", "")}`,
  external: Object.keys(dependencies).flatMap((name) => [name, `${name}/*`]),
  logLevel: "warning",
};

// The last three are what tests and benchmarks run outside of jest; they are parts of the first two.
await build({
  ...options,
  entryPoints: paths(["cli/main", "index", "host", "io/seams", "engine/sqlite/kit"]),
  format: "esm",
  splitting: true,
  chunkNames: "src/chunks/[name]-[hash]",
});

// Each whole and CommonJS, which Node loads in a thread in two thirds of the time.
const own = readFileSync("src/io/entry.ts", "utf8").match(/(?<=^ {2}\| ")[^"]+/gm) ?? [];
if (own.length === 0) throw new Error("src/io/entry.ts names no entry any more.");
const whole = {
  ...options,
  format: "cjs",
  outExtension: { ".js": ".cjs" },
  banner: { js: 'const ownUrl = require("node:url").pathToFileURL(__filename).href;' },
  define: { "import.meta.url": "ownUrl" },
};
const zip = "container/zip-process";
await build({ ...whole, entryPoints: paths(own.filter((name) => name !== zip)) });
const archives = ["archiver", "unzipper"];
const { metafile } = await build({
  ...whole,
  entryPoints: paths([zip]),
  // The last is for archives in a cloud's store, which nobody here reads.
  external: [...options.external.filter((name) => !archives.includes(name.replace("/*", ""))), "@aws-sdk/*"],
  metafile: true,
});
writeFileSync(`dist/src/${zip}.licenses.txt`, licensesOf(Object.keys(metafile.inputs)));

/** The licenses of the packages that the files are of. */
function licensesOf(files) {
  const packages = new Set(files.map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]).filter((path) => path !== undefined));
  const texts = [...packages].sort().map((path) => {
    const { name, version, license } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
    const file = readdirSync(path).find((entry) => /^licen[cs]e/i.test(entry));
    return `${name} ${version}, license ${license}\n\n${file === undefined ? "" : readFileSync(join(path, file), "utf8").trim()}\n`;
  });
  return `The file ${zip}.cjs holds these packages.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

// The command must be executable.
chmodSync("dist/src/cli/main.js", 0o755);
