// What tsc does not do: the command must be executable.
import { chmodSync, existsSync } from "node:fs";

const command = "dist/src/cli/main.js";
if (existsSync(command)) chmodSync(command, 0o755);
