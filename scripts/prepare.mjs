// Builds after `npm install` in a checkout and before packing; where the sources or the compiler are not there (a
// production install, an image that installs dependencies first) there is nothing to do.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

if (existsSync("src/index.ts") && existsSync("node_modules/typescript"))
  execFileSync("npm", ["run", "build"], { stdio: "inherit" });
else console.warn("SKIPPED: no sources or no compiler here, so nothing was built.");
