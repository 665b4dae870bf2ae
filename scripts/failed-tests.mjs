// Names the tests that failed, one per line, from a report of jest: node scripts/failed-tests.mjs REPORT
import { readFileSync } from "node:fs";
import { relative } from "node:path";

for (const file of JSON.parse(readFileSync(process.argv[2], "utf8")).testResults) {
  const failed = file.assertionResults.filter((test) => test.status === "failed");
  const names = failed.map((test) => test.fullName);
  if (names.length === 0 && file.status === "failed") names.push("could not run");
  for (const name of names) console.log(`${relative(".", file.name)}: ${name}`);
}
