// Takes the pictures of the console in docs/images, of a host with a month of writes, a policy and an accident.
// Usage: npm run build && npx tsx scripts/screenshots.ts
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium, type Page } from "playwright-core";

const [httpPort, grpcPort] = [18_461, 18_462];
const url = `http://127.0.0.1:${httpPort}`;
const images = "docs/images";
const shop = "/shop/orders";
const root = join(tmpdir(), "holdfast-shop");
const data = join(root, "data");
const backups = join(root, "backups");

const ask = async (path: string, method: string, body?: object) => {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
  return (await response.json()) as Record<string, unknown>;
};

/** Runs the policy, and waits for the end of the run. */
async function runPolicy(kind: string): Promise<void> {
  const { id } = await ask("/v1/policies/nightly:run", "POST", { kind: `POLICY_RUN_KIND_${kind}` });
  for (let state = ""; state !== "POLICY_RUN_STATE_SUCCEEDED"; await sleep(200)) {
    const { runs } = await ask("/v1/policies/nightly/runs", "GET");
    const run = (runs as { id: string; state: string }[]).find((one) => one.id === id);
    state = run?.state ?? "";
    if (state === "POLICY_RUN_STATE_FAILED") throw new Error(JSON.stringify(run));
  }
}

async function fill(): Promise<void> {
  await ask("/v1/policies", "POST", {
    name: "nightly",
    destination: `file://${backups}`,
    schedule: { cron: "0 3 * * *", timeZone: "Europe/Berlin" },
    retention: { keepLast: 3, keepDaily: 14, keepMonthly: 6 },
    restoreTest: { schedule: { interval: "7d" } },
  });
  await runPolicy("BACKUP");
  await runPolicy("RESTORE_TEST");
  for (let n = 0; n < 300; n += 1)
    await ask(`${shop}/d${String(n).padStart(8, "0")}`, "PATCH", { name: `paid ${n}` });
  await runPolicy("BACKUP");
  for (let n = 0; n < 120; n += 1)
    await ask(`${shop}/d${String(n * 7).padStart(8, "0")}`, "PATCH", { name: `shipped ${n}` });
  await sleep(2_000);
  for (let n = 0; n < 400; n += 1) await ask(`${shop}/d${String(n).padStart(8, "0")}`, "DELETE");
  await ask("/v1/indexes:open", "POST", { pointInTime: { uri: `file://${backups}` } });
  await sleep(1_500);
}

async function picture(page: Page, screen: string): Promise<void> {
  await page.screenshot({ path: join(images, `console-${screen}.png`) });
}

async function take(page: Page): Promise<void> {
  await page.goto(`${url}/console/`);
  await page.getByText("Last proven restore").waitFor();
  await page.getByText("Where backups are").waitFor();
  await sleep(500);
  await picture(page, "overview");
  await page.goto(`${url}/console/#/timeline`);
  await page.getByRole("button", { name: "15 min" }).click();
  await page.getByRole("button", { name: "Before the burst of deletions" }).click();
  await page.getByText(/documents come back/).waitFor();
  await sleep(500);
  await picture(page, "timeline");
  await page.goto(`${url}/console/#/backups`);
  await page
    .getByText(/^2 backups/)
    .first()
    .waitFor();
  await picture(page, "backups");
  await page.goto(`${url}/console/#/policies`);
  await page.getByRole("heading", { name: "nightly" }).waitFor();
  await sleep(500);
  await picture(page, "policies");
  await page.goto(`${url}/console/#/documents/${encodeURIComponent(`${shop}/d00000707`)}`);
  await page
    .getByText(/^From version/)
    .first()
    .waitFor();
  await picture(page, "documents");
  await page.goto(`${url}/console/#/operations`);
  await page
    .getByRole("cell", { name: /^backup/ })
    .first()
    .waitFor();
  await picture(page, "operations");
}

mkdirSync(root);
execFileSync(process.execPath, [
  ...["--import", "tsx", "bench/made-index.ts"],
  ...[data, shop, "20000", "2", "60"],
]);
const host = spawn(process.execPath, [
  ...["dist/src/cli/main.js", "serve", "--data-dir", data],
  ...["--http-port", String(httpPort), "--grpc-port", String(grpcPort)],
  ...["--factory", `${shop}=shop:order`, "--retain-versions", "1000"],
]);
const ended = new Promise((resolve) => host.once("exit", resolve));
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
try {
  for (let tries = 0; tries < 100; tries += 1) {
    if (
      await fetch(`${url}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      break;
    await sleep(100);
  }
  await fill();
  const viewport = { width: 1100, height: 760 };
  const page = await (await browser.newContext({ viewport, colorScheme: "light" })).newPage();
  await take(page);
  // The two of the README, small.
  const small = await browser.newContext({ viewport, deviceScaleFactor: 0.38 });
  const [one, two] = [await small.newPage(), await small.newPage()];
  await one.goto(`${url}/console/`);
  await one.getByText("Where backups are").waitFor();
  await one.screenshot({ path: join(images, "overview-small.png") });
  await two.goto(`${url}/console/#/timeline`);
  await two.getByRole("button", { name: "15 min" }).click();
  await two.getByRole("button", { name: "Before the burst of deletions" }).click();
  await two.getByText(/documents come back/).waitFor();
  await two.screenshot({ path: join(images, "timeline-small.png") });
} finally {
  await browser.close();
  host.kill();
  await ended;
  rmSync(root, { recursive: true });
}
