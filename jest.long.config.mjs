// npm run test:long: all of the matrices, rounds and sizes of which npm test takes some. The test files that ask for it are run.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import config from "./jest.config.mjs";

process.env.LONG_TESTS = "1";

/** Whether it imports test/support/long.ts, or a file of the tests does that it imports. */
function asks(file, seen = new Set()) {
  if (file === "test/support/long.ts") return true;
  if (seen.has(file) || !existsSync(file)) return false;
  seen.add(file);
  const imported = [...readFileSync(file, "utf8").matchAll(/ from "(\.[^"]+)\.js"/g)].map(([, name]) => join(dirname(file), `${name}.ts`));
  return imported.some((other) => other.startsWith("test/") && asks(other, seen));
}
const files = ["src", "test"].flatMap((root) => readdirSync(root, { recursive: true }).map((name) => join(root, name)));

export default { ...config, testMatch: files.filter((name) => name.endsWith(".test.ts") && asks(name)).map((name) => `<rootDir>/${name}`), testTimeout: 120_000 };
