import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Returns the directory of the nearest package.json above this file, which both the sources and the
 * build have.
 */
function findPackage(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, "package.json")) && directory !== dirname(directory))
    directory = dirname(directory);
  return directory;
}

function readVersion(directory: string): string {
  const { version } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as {
    version: string;
  };
  return version;
}

/** Directory of the package. */
export const packageDirectory = findPackage();

/** Version of the package. */
export const productVersion = readVersion(packageDirectory);
