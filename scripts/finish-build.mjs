// What tsc does not do: it has written the types; this bundles the code. A start then reads some tens of files in place of some
// six hundred, and a thread or child process reads one. Packages of many small modules are bundled with it; all others stay
// outside and are resolved as ever.
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { buildConsole } from "./build-console.mjs";

const { dependencies, engines } = JSON.parse(readFileSync("package.json", "utf8"));
// In chunks only what is ES modules, or what is imported by statements alone: import() of a CommonJS package would give the
// chunk's default alone, and none of its names.
const inChunks = [
  "@bufbuild/protobuf",
  "@bufbuild/protovalidate",
  "@connectrpc/connect",
  "@connectrpc/connect-node",
  "cli-progress",
  "cli-table3",
  "commander",
];
const inEntries = [...inChunks, "archiver", "compress-commons", "unzipper"];
// The last is for archives in a cloud's store, which nobody here reads.
const outside = (bundled) => [
  ...Object.keys(dependencies)
    .filter((name) => !bundled.includes(name))
    .flatMap((name) => [name, `${name}/*`]),
  "@aws-sdk/*",
];
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

// The last four are what tests and benchmarks run outside of jest; they are parts of the first two.
const shared = await build({
  ...options,
  entryPoints: paths([
    "cli/main",
    "index",
    "host/start",
    "io/platform",
    "engine/sqlite/storage-engine",
    "engine/registry",
  ]),
  external: outside(inChunks),
  format: "esm",
  // The CommonJS in them requires modules of Node.
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
  },
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

writeFileSync(
  "dist/licenses.txt",
  licensesOf([
    ...[shared, whole].flatMap(({ metafile }) => Object.keys(metafile.inputs)),
    ...(await buildConsole()),
  ]),
);

/** The licenses of the packages that the files are of: their own texts, the notices in their sources, and what those refer to. */
function licensesOf(files) {
  const byPackage = new Map();
  for (const file of files) {
    const path = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
    if (path !== undefined) byPackage.set(path, [...(byPackage.get(path) ?? []), file]);
  }
  const texts = [...byPackage]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, own]) => {
      const { name, version, license } = JSON.parse(
        readFileSync(join(path, "package.json"), "utf8"),
      );
      const text = [licenseFile(path) ?? inReadme(path), ...noticesIn(own)]
        .filter((part) => part !== undefined)
        .join("\n\n");
      if (text === "")
        throw new Error(
          `${name} is bundled, and neither its package nor its sources say under which terms.`,
        );
      return `${name} ${version}, license ${license}\n\n${text}\n`;
    });
  const apache = licenseFile("node_modules/@grpc/grpc-js");
  return `Parts of these packages are in the files beside this one.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}\n${"-".repeat(80)}\n\nThe text that notices above refer to:\n\n${apache}\n`;
}

function licenseFile(path) {
  const file = readdirSync(path).find((entry) => /^licen[cs]e/i.test(entry));
  return file === undefined ? undefined : readFileSync(join(path, file), "utf8").trim();
}

function inReadme(path) {
  const file = readdirSync(path).find((entry) => /^readme/i.test(entry));
  const section =
    file === undefined
      ? undefined
      : /^#+ *licen[cs]e\s+([^]+?)(?=\n#|$(?![^]))/im
          .exec(readFileSync(join(path, file), "utf8"))?.[1]
          ?.trim();
  return section !== undefined && /copyright/i.test(section) ? section : undefined;
}

/** The notices at the beginning of source files, each once. */
function noticesIn(files) {
  const notices = files.map((file) =>
    /^(?:\/\/.*\n)+/m
      .exec(readFileSync(file, "utf8"))?.[0]
      .replace(/^\/\/ ?/gm, "")
      .trim(),
  );
  return [
    ...new Set(notices.filter((notice) => notice !== undefined && /copyright/i.test(notice))),
  ];
}

// The command must be executable.
chmodSync("dist/src/cli/main.js", 0o755);
