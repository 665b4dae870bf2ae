// npm run test:full: kills, faults, interop, and all of the matrices, rounds and sizes of which npm test takes some.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import config, { fullOnly } from "./jest.config.mjs";

process.env.LONG_TESTS = "1";

/** Whether a test file imports test/support/long.ts, itself or by a file of the tests. */
function isLong(file, seen = new Set()) {
  if (file === "test/support/long.ts") return true;
  if (seen.has(file) || !existsSync(file)) return false;
  seen.add(file);
  const imported = [...readFileSync(file, "utf8").matchAll(/ from "(\.[^"]+)\.js"/g)].map(
    ([, name]) => join(dirname(file), `${name}.ts`),
  );
  return imported.some((other) => other.startsWith("test/") && isLong(other, seen));
}

const files = ["src", "test"].flatMap((root) =>
  readdirSync(root, { recursive: true }).map((name) => join(root, name)),
);
const wanted = files.filter(
  (name) =>
    name.endsWith(".test.ts") &&
    (fullOnly.some((folder) => name.startsWith(folder)) || isLong(name)),
);

export default {
  ...config,
  testMatch: wanted.map((name) => `<rootDir>/${name}`),
  testPathIgnorePatterns: ["/node_modules/", "<rootDir>/test/interop/xenon/"],
  testTimeout: 120_000,
};
