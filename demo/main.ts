import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHost } from "holdfast";
import { loadCorpus } from "./corpus.js";
import { runStory } from "./story.js";

/** Runs the demo (npm run demo). Exits with 1 if a restored document differs. */
const directory = mkdtempSync(join(tmpdir(), "holdfast-demo-"));
const start = performance.now();
try {
  const { problems, line } = await runStory({
    createHost,
    corpora: [loadCorpus("mdn-bcd-6"), loadCorpus("mdn-bcd-7"), loadCorpus("mdn-bcd-8")],
    directory,
    say: (text) => console.log(text),
  });
  for (const problem of problems) console.log(`PROBLEM: ${problem}`);
  console.log(`${line} (total ${((performance.now() - start) / 1000).toFixed(0)} s)`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
