import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** Creates a directory for the PATH with the command `holdfast` as it was built. Returns its path. */
export function programDirectory(root: string): string {
  const directory = join(root, "bin");
  mkdirSync(directory);
  const program = join(directory, "holdfast");
  writeFileSync(
    program,
    `#!/bin/sh\nexec '${process.execPath}' '${resolve("dist/src/cli/main.js")}' "$@"\n`,
  );
  chmodSync(program, 0o755);
  return directory;
}
