// Compiles the package twice, as ES modules and as CommonJS, into dist.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;
const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc");
rmSync(join(here, "dist"), { recursive: true, force: true });
const compile = (...options) =>
  execFileSync(process.execPath, [compiler, "-p", here, ...options], { stdio: "inherit" });
compile("--outDir", join(here, "dist", "esm"));
compile(
  "--outDir",
  join(here, "dist", "cjs"),
  "--module",
  "commonjs",
  "--moduleResolution",
  "bundler",
);
writeFileSync(join(here, "dist", "cjs", "package.json"), '{ "type": "commonjs" }\n');
