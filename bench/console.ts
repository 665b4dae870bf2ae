import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium, type Browser } from "playwright-core";
import { makeIndex } from "./make-index.js";
import { serve } from "./process-tools.js";
import { median, ms, row } from "./table.js";

const program = "/usr/bin/chromium";
const rounds = 3;

/**
 * The console and its histogram on large indexes: the first view of a host that was started just now, whose files are in
 * no cache if this user may empty it, and GetActivity over ten million versions.
 */
export async function benchConsole(root: string): Promise<void> {
  await firstView(await makeIndex(join(root, "million"), 1_000_000, 1, 500));
  await histogram(await makeIndex(join(root, "versions"), 1_000_000, 10, 120));
}

async function firstView(data: string): Promise<void> {
  if (!existsSync(program)) {
    row("first view of the console", `skipped: no ${program}`, "", undefined, "< 1 s");
    return;
  }
  const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox"] });
  const views: number[] = [];
  const timelines: number[] = [];
  const bare: number[] = [];
  let isCold = true;
  try {
    for (let round = 0; round < rounds; round += 1) {
      isCold = emptyCache();
      const host = await serve("host-process.mjs", data);
      const url = `http://127.0.0.1:${host.port}`;
      views.push(await shown(browser, `${url}/console/`, "Loss if this disk died now"));
      timelines.push(await shown(browser, `${url}/console/#/timeline`, "created,"));
      bare.push(await shown(browser, `${url}/healthz`, ""));
      await host.close();
    }
  } finally {
    await browser.close();
  }
  const cache = isCold ? "caches emptied" : "caches kept";
  const reference = `an empty page: ${ms(median(bare))}`;
  row(
    `overview of 1,000,000 documents, host just started, ${cache}`,
    ms(median(views)),
    reference,
    undefined,
    "< 1 s",
  );
  row("then its timeline", ms(median(timelines)), reference, undefined, "< 1 s");
}

/** Milliseconds until a text is shown in a window of its own. */
async function shown(browser: Browser, url: string, text: string): Promise<number> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const begun = performance.now();
    await page.goto(url);
    if (text !== "") await page.getByText(text).first().waitFor();
    return performance.now() - begun;
  } finally {
    await context.close();
  }
}

async function histogram(data: string): Promise<void> {
  // So that compaction leaves the versions alone.
  const host = await serve("host-process.mjs", data, JSON.stringify({ retainedVersions: 1000 }));
  const now = Date.now() * 1000;
  const ask = async (query: string) => {
    const begun = performance.now();
    const response = await fetch(`http://127.0.0.1:${host.port}/v1/indexes:activity?${query}`);
    const { buckets } = (await response.json()) as { buckets: { updated: string }[] };
    return { took: performance.now() - begun, buckets: buckets.length };
  };
  const day = 86_400_000_000;
  const ranges: [name: string, query: string][] = [
    ["all", "buckets=300"],
    [
      "a day of it",
      `buckets=300&start_time_micros=${now - 10 * day}&end_time_micros=${now - 9 * day}`,
    ],
    [
      "a minute of it",
      `buckets=300&start_time_micros=${now - day}&end_time_micros=${now - day + 60_000_000}`,
    ],
  ];
  for (const [name, query] of ranges) {
    const times: number[] = [];
    let buckets = 0;
    for (let round = 0; round < 2 * rounds + 1; round += 1) {
      const found = await ask(query);
      times.push(found.took);
      buckets = found.buckets;
    }
    row(
      `histogram of 10,000,000 versions, ${name}, ${buckets} intervals`,
      `${ms(median(times))}, at most ${ms(Math.max(...times))}`,
      "",
      undefined,
      "< 300 ms",
    );
  }
  await host.close();
}

/** Whether the caches of the file system could be emptied. */
function emptyCache(): boolean {
  try {
    writeFileSync("/proc/sys/vm/drop_caches", "3");
    return true;
  } catch {
    return false;
  }
}
