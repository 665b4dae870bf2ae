import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { haveBrowser, openPage } from "../support/browser.js";
import { appearances, expectUsable, goTo, put } from "../support/console.js";
import { eventually } from "../support/eventually.js";
import { writeManyBackups } from "../support/many-backups.js";
import { ask, runToEnd, serve, type ServedHost } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** The screens of backups and policies, in a real browser, on a host of its own. */

const hostile = "<img src=x onerror=alert(1)>";

interface Listed {
  name: string;
  pinned: boolean;
  pinReason: string;
}

/** The backups at a directory, newest first, by the API. */
async function backupsAt(host: ServedHost, directory: string): Promise<Listed[]> {
  const uri = encodeURIComponent(pathToFileURL(directory).href);
  return (await ask(`${host.url}/v1/backups?uri=${uri}`)).body["backups"] as Listed[];
}

/** Runs a policy, and waits for the end of the run. */
async function runPolicy(host: ServedHost, name: string, kind?: string): Promise<void> {
  const at = `${host.url}/v1/policies/${name}`;
  const { body } = await ask(`${at}:run`, "POST", { kind });
  await eventually(async () => {
    const runs = (await ask(`${at}/runs`)).body["runs"] as { id: string; state: string }[];
    return runs.find(({ id }) => id === body["id"])?.state === "POLICY_RUN_STATE_SUCCEEDED";
  });
}

/** A policy that runs only when it is asked to, with a base and increments at its destination. */
async function backUp(
  host: ServedHost,
  directory: string,
  { backups = 3, ...policy }: { backups?: number } & Record<string, unknown> = {},
): Promise<void> {
  const { status } = await ask(`${host.url}/v1/policies`, "POST", {
    name: "nightly",
    destination: pathToFileURL(directory).href,
    schedule: { cron: "30 3 * * 1-5", timeZone: "Europe/Berlin" },
    ...policy,
  });
  expect(status).toBe(200);
  // A base that is so much larger than the increments that it is not replaced.
  for (let n = 0; n < 40; n += 1) await put(host, `doc-${n}`, "x".repeat(12_000));
  for (let n = 0; n < backups; n += 1) {
    await put(host, `later-${n}`);
    await runPolicy(host, "nightly");
  }
}

/** A cell of the first row of a table of backups. */
const firstRow = (page: Page) => page.getByRole("row").nth(1);

(haveBrowser ? describe : describe.skip)("the console", () => {
  let host: ServedHost;
  let root: string;
  let backups: string;
  beforeEach(async () => {
    root = temporaryDirectory();
    backups = join(root, "backups");
    host = await serve(["--data-dir", join(root, "data")]);
  });
  afterEach(() => host.stop());

  test("lists a chain of backups, verifies each way, and tests a restore", async () => {
    await backUp(host, backups);
    const { page, problems } = await openPage();
    await page.goto(host.url);
    await goTo(page, "Backups");
    await page.getByRole("heading", { name: "3 backups of /core/document-index" }).waitFor();
    expect(await page.getByRole("row").filter({ hasText: "complete" }).count()).toBe(3);
    await page.getByRole("cell", { name: /2 increments/ }).waitFor();
    await firstRow(page).getByText("not since it was written").waitFor();
    await page
      .getByRole("button", { name: /^Details of the backup/ })
      .first()
      .click();
    for (const level of ["metadata", "sample", "full"]) {
      await page
        .getByLabel("How", { exact: true })
        .selectOption(`VERIFY_LEVEL_${level.toUpperCase()}`);
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await firstRow(page).getByText(`${level} passed`).waitFor();
    }
    await page.getByText(/^Intact: 43 rows checked/).waitFor();
    await page.getByRole("button", { name: "Test restore" }).click();
    await page.getByText(/^Restored 43 documents in .*, equal to the live index/).waitFor();
    await firstRow(page)
      .getByText(/43 documents in .*, equal to the live ones/)
      .waitFor();
    // A test by hand proves as much as one of a policy.
    await goTo(page, "Overview");
    await page.getByText(/^43 documents in/).waitFor();
    expect(problems).toEqual([]);
  }, 60_000);

  test("pins and unpins a backup, and removes others after a preview and a confirmation", async () => {
    await backUp(host, backups);
    const { page, problems } = await openPage();
    await page.goto(`${host.url}/console/#/backups`);
    await page
      .getByRole("button", { name: /^Details of the backup/ })
      .nth(2)
      .click();
    await page.getByLabel("Why it must stay").fill(`before the move ${hostile}`);
    await page.getByRole("button", { name: "Pin", exact: true }).click();
    await page.getByRole("cell", { name: /pinned before the move <img/ }).waitFor();
    const [newest, middle, oldest] = await backupsAt(host, backups);
    expect([newest, middle, oldest].map((one) => one?.pinned)).toEqual([false, false, true]);
    expect(oldest?.pinReason).toBe(`before the move ${hostile}`);

    await page
      .getByRole("checkbox", { name: /^Choose the backup/ })
      .nth(1)
      .check();
    await page
      .getByRole("checkbox", { name: /^Choose the backup/ })
      .nth(2)
      .check();
    await page.getByRole("button", { name: "Preview the removal" }).click();
    await page.getByText("1 backup goes").waitFor();
    await page.getByText(`${oldest?.name} stays: it is pinned.`).waitFor();
    await page.getByText("Other backups need 2 segments of them, which stay.").waitFor();
    await page.getByText("Files that go").click();
    await page.getByText(middle?.name ?? "", { exact: true }).waitFor();
    expect(await backupsAt(host, backups)).toHaveLength(3);
    const remove = page.getByRole("button", { name: "Remove", exact: true });
    const typed = page.getByLabel(/^Type remove 1/);
    await typed.fill("remove 2");
    expect(await remove.isDisabled()).toBe(true);
    await typed.fill("remove 1");
    await remove.click();
    await page.getByText(/^Removed 1 backup with 2 files/).waitFor();
    await page.getByRole("heading", { name: "2 backups of" }).waitFor();
    expect((await backupsAt(host, backups)).map(({ name }) => name)).toEqual([
      newest?.name,
      oldest?.name,
    ]);

    await page.getByRole("button", { name: "Unpin" }).click();
    await page.getByLabel("Why it must stay").waitFor();
    expect((await backupsAt(host, backups)).map(({ pinned }) => pinned)).toEqual([false, false]);
    expect(await page.locator("img").count()).toBe(0);
    expect(problems).toEqual([]);
  }, 60_000);

  test("shows why a backup is damaged, also of a chain that is closed", async () => {
    await backUp(host, backups);
    const { page } = await openPage();
    await page.goto(`${host.url}/console/#/backups`);
    await page.getByRole("heading", { name: "3 backups of" }).waitFor();
    const [delta = ""] = readdirSync(backups).filter((name) => name.startsWith("delta-"));
    rmSync(join(backups, delta));
    const [oldest = ""] = readdirSync(backups).filter((name) => /^manifest-.*json$/.test(name));
    writeFileSync(join(backups, oldest), "nothing");
    await page.getByRole("button", { name: "List again" }).click();
    await page.getByText("2 not usable").waitFor();
    await page
      .getByRole("cell", { name: new RegExp(`damaged.*${delta}`) })
      .first()
      .waitFor();
    const other = page.getByRole("listitem").filter({ hasText: oldest });
    await other.getByText("damaged", { exact: true }).waitFor();
    await page
      .getByRole("button", { name: /^Details of the backup/ })
      .first()
      .click();
    await page.getByRole("button", { name: "Verify", exact: true }).click();
    await page.getByRole("alert").filter({ hasText: delta }).waitFor();
  }, 60_000);

  test("stays usable with 1000 backups at one destination", async () => {
    await backUp(host, backups, { backups: 1 });
    const { body } = await ask(`${host.url}/v1/host`);
    const [index] = body["indexes"] as { indexId: string; lineage: string }[];
    const many = join(root, "many");
    writeManyBackups(many, {
      indexId: index?.indexId ?? "",
      lineage: index?.lineage ?? "",
      count: 1000,
      newestMicros: Date.now() * 1000,
    });
    const { page, problems } = await openPage();
    await page.goto(`${host.url}/console/#/backups`);
    await page.getByLabel("Destination").selectOption("Another one…");
    await page.getByLabel("Directory of the host, or URI").fill(many);
    const begun = Date.now();
    await page.getByRole("button", { name: "List", exact: true }).click();
    // 1000 backups with up to 64 increments.
    await page.getByRole("heading", { name: "25 backups of" }).waitFor();
    await page.getByText("100 newest backups").waitFor();
    expect(Date.now() - begun).toBeLessThan(15_000);
    await firstRow(page).getByText("24 increments").waitFor();
    for (let pages = 2; pages <= 10; pages += 1) {
      await page.getByRole("button", { name: "Show older backups" }).click();
      await page
        .getByText(pages < 10 ? `${pages}00 newest backups` : "1\u202f000 backups")
        .waitFor();
    }
    expect(await page.getByRole("button", { name: "Show older backups" }).count()).toBe(0);
    await page.getByRole("heading", { name: "65 backups of" }).last().click();
    await page.getByRole("button", { name: "Show 25 more of 40" }).click();
    await page.getByRole("button", { name: "Show 15 more of 15" }).waitFor();
    // Each backup has two rows, of which one is for its details.
    expect(await page.locator("tr").count()).toBeLessThan(200);
    const clicked = Date.now();
    await page
      .getByRole("button", { name: /^Details of the backup/ })
      .first()
      .click();
    await page.getByText("SHA-256").waitFor();
    expect(Date.now() - clicked).toBeLessThan(1_000);
    await page.getByRole("checkbox", { name: "Choose all backups of this chain" }).last().check();
    await page.getByText("65 backups are chosen").waitFor();
    await page.getByRole("button", { name: "Preview the removal" }).click();
    await page.getByText("65 backups go").waitFor({ timeout: 20_000 });
    expect(problems).toEqual([]);
  }, 120_000);

  test("verifies an encrypted backup with an identity", async () => {
    const identityFile = join(root, "identity.txt");
    const { output } = await runToEnd(["keygen", "--output", identityFile]);
    const { body } = await ask(`${host.url}/v1/backups`, "POST", {
      destination: pathToFileURL(backups).href,
      encryption: { recipients: [output.trim()] },
    });
    await eventually(
      async () => (await ask(`${host.url}/v1/${String(body["name"])}`)).body["done"],
    );
    const { page, problems } = await openPage();
    await page.goto(`${host.url}/console/#/backups`);
    await page.getByRole("cell", { name: "complete, encrypted" }).waitFor();
    await page.getByRole("button", { name: /^Details of the backup/ }).click();
    await page.getByRole("definition").filter({ hasText: output.trim() }).waitFor();
    await page.getByRole("button", { name: "Verify", exact: true }).click();
    await page.getByRole("alert").filter({ hasText: "identity" }).waitFor();
    const identity = /AGE-SECRET-KEY-\S+/.exec(readFileSync(identityFile, "utf8"))?.[0] ?? "";
    await page.getByLabel(/^Identity/).fill(identity);
    await page.getByRole("button", { name: "Verify", exact: true }).click();
    await page.getByText(/^Intact/).waitFor();
    expect(problems).toEqual([]);
  }, 60_000);

  test("downloads a backup of the live index, and says how without the browser", async () => {
    await backUp(host, backups, { backups: 1 });
    const { page, problems } = await openPage();
    await page.goto(`${host.url}/console/#/backups`);
    const makes = page.getByRole("button", { name: "Back up and download" });
    const [download] = await Promise.all([page.waitForEvent("download"), makes.click()]);
    expect(download.suggestedFilename()).toMatch(/^holdfast-document-index-.*\.zip$/);
    const saved = readFileSync(await download.path());
    expect(saved.subarray(0, 2).toString()).toBe("PK");
    await page.getByText(/^Saved holdfast-document-index/).waitFor();
    // The host keeps it no longer.
    expect((await ask(`${host.url}/v1/transfers`)).body["transfers"]).toEqual([]);

    // An archive that is too large to be held in memory.
    await page.route("**/v1/transfers/*", async (route) => {
      const response = await route.fetch();
      const transfer = (await response.json()) as object;
      await route.fulfill({ response, json: { ...transfer, sizeBytes: String(1024 ** 3) } });
    });
    await makes.click();
    await page.getByText("The archive is ready: 1.0 GiB.").waitFor();
    const command = await page.getByText(/^curl -C - -o holdfast-.*:download/).textContent();
    expect(command).toContain(`${host.url}/v1/transfers/`);
    await page.unrouteAll({ behavior: "wait" });
    expect(problems).toEqual([]);
  }, 60_000);

  test("shows what a policy does, removes and did, runs it, pauses and resumes it", async () => {
    const copy = join(root, "copy");
    await backUp(host, backups, {
      copies: [{ destination: pathToFileURL(copy).href }],
      retention: { keepLast: 1 },
      restoreTest: { schedule: { cron: "0 5 * * 0" } },
    });
    await runPolicy(host, "nightly", "POLICY_RUN_KIND_RESTORE_TEST");
    const { page, problems } = await openPage({ timezoneId: "America/New_York" });
    await page.goto(host.url);
    await goTo(page, "Policies");
    const policy = page.getByRole("region", { name: "Policy nightly" });
    await policy.getByText("healthy", { exact: true }).waitFor();
    await policy
      .getByText("every day from Monday to Friday at 03:30, Europe/Berlin 30 3 * * 1-5")
      .waitFor();
    await policy.getByText("every Sunday at 05:00").waitFor();
    await policy.getByText("zone of this browser (America/New_York)").waitFor();
    const next = await policy.locator("ol").getByRole("listitem").allTextContents();
    expect(next).toHaveLength(5);
    // Half past three in Berlin is the evening before in New York.
    for (const time of next) expect(time).toMatch(/^\d{4}-\d{2}-\d{2} (20|21|22|23):30:00 in /);
    await policy
      .getByText(/43 documents in/)
      .first()
      .waitFor();
    expect(await policy.getByRole("link", { name: /^file:/ }).count()).toBe(2);

    await policy.getByRole("button", { name: /^Check file:.*copy/ }).click();
    await policy.getByText(/It can be written and read/).waitFor();
    await policy.getByText("conditional create: yes").waitFor();

    // Two more backups, of which the rules keep one, and retention has not seen them yet.
    const destination = pathToFileURL(backups).href;
    for (let n = 0; n < 2; n += 1) {
      const { body } = await ask(`${host.url}/v1/backups`, "POST", { destination });
      await eventually(
        async () => (await ask(`${host.url}/v1/${String(body["name"])}`)).body["done"],
      );
    }
    expect(await backupsAt(host, backups)).toHaveLength(3);
    await policy.getByRole("button", { name: "What would go today" }).click();
    await policy.getByText("1 go").waitFor();
    await policy
      .getByRole("row")
      .filter({ hasText: "goes" })
      .getByText("matches no rule")
      .waitFor();
    await policy.getByRole("row").filter({ hasText: "last 1" }).first().waitFor();
    await policy.getByRole("row").filter({ hasText: "newest verified" }).first().waitFor();
    expect(await backupsAt(host, backups)).toHaveLength(3);

    await policy.getByLabel("What to run").selectOption("a verification");
    await policy.getByRole("button", { name: "Run now" }).click();
    const run = policy.getByRole("row").filter({ hasText: "requested" }).first();
    await run.getByText("verify requested").waitFor();
    await run.getByText("succeeded").waitFor();
    await policy.getByText("full passed").first().waitFor();
    expect(await policy.getByRole("row").filter({ hasText: "backup requested" }).count()).toBe(3);

    await policy.getByRole("button", { name: "Pause" }).click();
    await policy.getByText("paused").waitFor();
    await policy.getByRole("button", { name: "Resume" }).click();
    await policy.getByText("active").waitFor();
    await policy.getByRole("link", { name: /copy$/ }).click();
    await page.getByRole("heading", { name: "1 backup of /core/document-index" }).waitFor();
    expect(problems).toEqual([]);
  }, 90_000);

  test("shows why runs failed, and what was sent about it", async () => {
    const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
    await backUp(host, backups, {
      backups: 1,
      notify: { webhooks: [{ url: "http://127.0.0.1:9/hook", secret }] },
    });
    rmSync(backups, { recursive: true });
    writeFileSync(backups, "a file, no directory");
    await ask(`${host.url}/v1/policies/nightly:run`, "POST", {});
    const { page } = await openPage();
    await page.goto(`${host.url}/console/#/policies`);
    const policy = page.getByRole("region", { name: "Policy nightly" });
    await policy.getByText("Recent runs").click();
    const failed = policy.getByRole("row").filter({ hasText: "failed" }).first();
    await failed.getByText(/must be a local directory/).waitFor();
    await policy.getByText("Tries again").waitFor({ timeout: 15_000 });
    await policy.getByText("Notifications").click();
    await policy.getByText("policy.run.failed").waitFor();
    await policy
      .getByText(/refuses connections/)
      .first()
      .waitFor();
  }, 60_000);

  test("says that there are no policies, and creates one after a check", async () => {
    const { page, problems } = await openPage();
    await page.goto(`${host.url}/console/#/policies`);
    await page.getByText("There are no policies").waitFor();
    await page.getByText(/holdfast policy add daily/).waitFor();
    const create = page.getByRole("button", { name: "Create" });
    expect(await create.isDisabled()).toBe(true);
    const destination = page.getByLabel("Directory of the host, or URI");
    await destination.fill("/nowhere/at/all");
    await page.getByRole("button", { name: "Check", exact: true }).click();
    await page.getByRole("alert").filter({ hasText: "/nowhere/at" }).waitFor();
    expect(await create.isDisabled()).toBe(true);
    await destination.fill(join(root, "a b#c"));
    await page.getByLabel("Backs up").selectOption("every hour");
    await page.getByLabel(/^Hours of which/).fill("36");
    await page.getByRole("button", { name: "Check", exact: true }).click();
    await page.getByText(/The destination works. Backs up every hour, first/).waitFor();
    const policies = async () =>
      ((await ask(`${host.url}/v1/policies`)).body["policies"] as Record<string, unknown>[]).filter(
        ({ name }) => name !== "automatic",
      );
    expect(await policies()).toEqual([]);
    await create.click();
    await page.getByRole("region", { name: "Policy daily" }).waitFor();
    expect(await policies()).toMatchObject([
      {
        name: "daily",
        destination: pathToFileURL(join(root, "a b#c")).href,
        schedule: { cron: "0 * * * *" },
        retention: { keepHourly: 36 },
      },
    ]);
    expect(problems).toEqual([]);
  }, 60_000);

  test.each(appearances)(
    "the screens of backups and policies can be read and used at %i px, %s",
    async (width, colorScheme) => {
      await backUp(host, backups, {
        copies: [{ destination: pathToFileURL(join(root, "copy")).href }],
        retention: { keepLast: 2, keepDaily: 14 },
        window: "14d",
        verify: { schedule: { cron: "0 4 * * *" } },
      });
      await runPolicy(host, "nightly", "POLICY_RUN_KIND_RESTORE_TEST");
      const { page, problems } = await openPage({
        viewport: { width, height: 800 },
        colorScheme,
        // The pages of tests may add a script, which the policy of the console refuses.
        bypassCSP: true,
      });
      await page.goto(`${host.url}/console/#/backups`);
      await page
        .getByRole("button", { name: /^Details of the backup/ })
        .first()
        .click();
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText(/^Intact/).waitFor();
      await page
        .getByRole("checkbox", { name: /^Choose the backup/ })
        .last()
        .check();
      await page.getByRole("button", { name: "Preview the removal" }).click();
      await page.getByText("1 backup goes").waitFor();
      await expectUsable(page, "backups", width, colorScheme);
      await page.goto(`${host.url}/console/#/policies`);
      const policy = page.getByRole("region", { name: "Policy nightly" });
      await policy.getByRole("button", { name: "What would go today" }).click();
      await policy.getByText(/stay/).first().waitFor();
      await policy.getByText("Recent runs").click();
      await policy.getByRole("cell", { name: "succeeded" }).first().waitFor();
      await policy
        .getByRole("button", { name: /^Check file:/ })
        .first()
        .click();
      await policy.getByText(/It can be written and read/).waitFor();
      await page.getByText("Add a policy").click();
      await page.getByLabel("Directory of the host, or URI").waitFor();
      await expectUsable(page, "policies", width, colorScheme);
      expect(problems).toEqual([]);
    },
    90_000,
  );

  test("shows hostile names of destinations and policies as text", async () => {
    await backUp(host, join(root, hostile), { backups: 1 });
    const { page, problems } = await openPage();
    await page.goto(`${host.url}/console/#/backups`);
    await page.getByRole("button", { name: /^Details of the backup/ }).click();
    await page.getByRole("definition").filter({ hasText: "onerror" }).waitFor();
    // A host allows no such name; whoever stands between it and the browser does.
    await page.route("**/v1/policies?*", async (route) => {
      const response = await route.fetch();
      const text = (await response.text()).replaceAll('"nightly"', JSON.stringify(hostile));
      await route.fulfill({ response, body: text });
    });
    await goTo(page, "Policies");
    await page.getByRole("heading", { name: hostile }).waitFor();
    await page.unrouteAll({ behavior: "wait" });
    expect(await page.locator("img").count()).toBe(0);
    expect(problems).toEqual([]);
  }, 60_000);
});

(haveBrowser ? describe : describe.skip)("the console of a host with tokens", () => {
  test("names the role that the screens of backups and policies need, and asks no further", async () => {
    const root = temporaryDirectory();
    const tokenFile = join(root, "tokens");
    writeFileSync(tokenFile, "reads-only read\nthe-secret admin\n", { mode: 0o600 });
    const host = await serve(["--data-dir", join(root, "data"), "--token-file", tokenFile]);
    const { page, problems } = await openPage();
    await page.goto(host.url);
    await page.getByLabel("Token").fill("reads-only");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    for (const screen of ["Backups", "Policies"]) {
      await goTo(page, screen);
      await page.getByText("does not have the role backup").waitFor();
      expect(await page.getByRole("main").getByRole("button").count()).toBe(0);
      expect(await page.getByRole("alert").count()).toBe(0);
    }
    // What the roles do not allow is not even asked for.
    const refused = asked.filter((url) => /\/v1\/(policies|backups)/.test(url));
    expect(refused).toEqual([]);
    expect(problems).toEqual([]);
    await host.stop();
  }, 60_000);
});
