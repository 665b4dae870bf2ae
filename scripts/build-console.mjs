import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const directory = "dist/console";

/** Bundles the web console into dist/console, each file beside its compressed form. Returns the files that went into it. */
export async function buildConsole() {
  const { metafile } = await build({
    entryPoints: { console: "console/main.tsx", icon: "console/icon.svg" },
    outdir: directory,
    entryNames: "[name]-[hash]",
    loader: { ".svg": "copy" },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    tsconfig: "console/tsconfig.json",
    metafile: true,
    logLevel: "warning",
  });
  const written = Object.keys(metafile.outputs).map((path) => basename(path));
  const page = readFileSync("console/index.html", "utf8").replace(/STYLE|SCRIPT|ICON/g, (name) =>
    written.find((file) => file.endsWith({ STYLE: ".css", SCRIPT: ".js", ICON: ".svg" }[name])),
  );
  writeFileSync(join(directory, "index.html"), page);
  for (const file of [...written, "index.html"])
    writeFileSync(
      join(directory, `${file}.gz`),
      gzipSync(readFileSync(join(directory, file)), { level: 9 }),
    );
  return Object.keys(metafile.inputs);
}
