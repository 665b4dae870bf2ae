import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { haveBrowser, openPage } from "../support/browser.js";
import { appearances, expectUsable, goTo, put } from "../support/console.js";
import { eventually } from "../support/eventually.js";
import { ask, serve, type ServedHost } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** The web console, in a real browser, on a host of its own. */

const index = "/core/document-index";

const links = async (host: ServedHost) =>
  (await ask(`${host.url}/core/examples`)).body["documentLinks"] as string[];

/** The backups at the destination of the last backup, newest first. */
async function backupsOf(host: ServedHost): Promise<Record<string, unknown>[]> {
  const { backups } = (await ask(`${host.url}/v1/host`)).body as {
    backups: { destination: string }[];
  };
  const uri = encodeURIComponent(backups[0]?.destination ?? "");
  return (await ask(`${host.url}/v1/backups?uri=${uri}`)).body["backups"] as Record<
    string,
    unknown
  >[];
}

/** Documents, a backup, and a deletion of many of them, after which somebody wrote on. */
async function accident(host: ServedHost): Promise<string[]> {
  for (let n = 0; n < 40; n += 1) await put(host, `doc-${n}`);
  const destination = `file://${join(temporaryDirectory(), "backups")}`;
  const backup = { destination, container: "CONTAINER_DIRECTORY" };
  const { body } = await ask(`${host.url}/v1/backups`, "POST", backup);
  await eventually(async () => (await ask(`${host.url}/v1/${String(body["name"])}`)).body["done"]);
  const before = await links(host);
  for (let n = 0; n < 30; n += 1) await ask(`${host.url}/core/examples/doc-${n}`, "DELETE");
  await put(host, "written-after");
  return before.sort();
}

(haveBrowser ? describe : describe.skip)("the console", () => {
  let host: ServedHost;
  beforeEach(async () => {
    host = await serve(["--data-dir", join(temporaryDirectory(), "data")]);
  });
  afterEach(() => host.stop());

  test("undoes an accident: finds the moment before it, shows what changes, restores, and undoes", async () => {
    const before = await accident(host);
    const { page, problems } = await openPage();
    await page.goto(host.url);
    await page.getByText("Loss if this disk died now").waitFor();
    await goTo(page, "Timeline");
    await page.getByRole("button", { name: "Before the burst of deletions" }).click();
    await page.getByText("30 documents come back").waitFor();
    await page.getByText("1 document goes").waitFor();
    const restore = page.getByRole("button", { name: "Restore", exact: true });
    expect(await restore.isDisabled()).toBe(true);
    const backupsBefore = await backupsOf(host);
    await page.getByRole("button", { name: "Try without changing anything" }).click();
    await page.getByText("Nothing was changed.").waitFor();
    expect((await links(host)).length).toBe(11);
    expect(await backupsOf(host)).toEqual(backupsBefore);
    await page.getByLabel("to restore").fill(index);
    await restore.click();
    await page.getByText(/Restored in .*: 40 documents/).waitFor();
    expect((await links(host)).sort()).toEqual(before);
    // What was there is in a backup that nothing removes.
    const [saved] = await backupsOf(host);
    expect(saved).toMatchObject({
      pinned: true,
      pinReason: expect.stringMatching(/^before the restore to 20/),
    });
    // The undo is there after one has looked elsewhere, and says what it leaves out.
    await goTo(page, "Documents");
    await put(host, "written-since");
    await goTo(page, "Overview");
    await page.getByRole("button", { name: "Undo the restore" }).click();
    await page.getByText("1 change since then would be left out").waitFor();
    await page.getByRole("button", { name: "Undo the restore now" }).click();
    await page.getByText(/^A restore of .* was undone/).waitFor();
    expect((await links(host)).length).toBe(11);
    await page.getByRole("button", { name: "Restore it again" }).click();
    await page.getByRole("button", { name: "Restore it again now" }).click();
    await eventually(async () => (await links(host)).length === 41);
    await goTo(page, "Operations");
    await page.getByRole("cell", { name: /^undo/ }).first().waitFor();
    expect(problems).toEqual([]);
  }, 60_000);

  test("restores only documents below a path, at a time that is typed", async () => {
    await put(host, "kept");
    await accident(host);
    const { page, problems } = await openPage({ timezoneId: "America/New_York" });
    await page.goto(`${host.url}/console/#/timeline`);
    await page.getByRole("button", { name: "Before the burst of deletions" }).click();
    await page.getByText("30 documents come back").waitFor();
    const utc = await page.getByText(/^In UTC: /).textContent();
    const time = page.getByRole("textbox", { name: "Time, in the zone" });
    await time.fill("nonsense");
    await page.getByRole("button", { name: "Set" }).click();
    await page.getByText(/This is no time/).waitFor();
    await time.fill(utc?.replace("In UTC: ", "") ?? "");
    await page.getByRole("button", { name: "Set" }).click();
    await page.getByText("30 documents come back").waitFor();
    await page.getByLabel("Only documents whose links begin with").check();
    await page.getByLabel("Beginning of the links").fill("/core/examples/doc-1");
    await page.getByLabel("to restore").fill(index);
    await page.getByRole("button", { name: "Restore", exact: true }).click();
    await page.getByText(/11 documents came back, 0 changed back/).waitFor();
    // doc-1 and doc-10 to doc-19.
    expect(await links(host)).toHaveLength(12 + 11);
    expect(problems).toEqual([]);
  }, 60_000);

  test("a click on the chart chooses a time, and a drag a range", async () => {
    await accident(host);
    const { page, problems } = await openPage();
    await page.goto(`${host.url}/console/#/timeline`);
    const chart = page.locator(".u-over");
    const time = page.getByRole("textbox", { name: "Time, in the zone" });
    await chart.click({ position: { x: 300, y: 50 } });
    await eventually(async () => /^20\d\d-/.test(await time.inputValue()));
    expect(problems).toEqual([]);
  }, 60_000);

  test("undoes only the restore it shows, and makes no backups where nobody wants them", async () => {
    await accident(host);
    const { page } = await openPage();
    await page.goto(`${host.url}/console/#/timeline`);
    await page.getByRole("button", { name: "Before the burst of deletions" }).click();
    await page.getByText("30 documents come back").waitFor();
    const elsewhere = join(temporaryDirectory(), "elsewhere");
    const destination = page.getByLabel(/^Back up what is there now to/);
    const known = await destination.inputValue();
    await destination.fill(elsewhere);
    await page.getByLabel("to restore").fill(index);
    const restore = page.getByRole("button", { name: "Restore", exact: true });
    const attempt = page.getByRole("button", { name: "Try without changing anything" });
    expect([await restore.isDisabled(), await attempt.isDisabled()]).toEqual([true, true]);
    await page.getByLabel(/Make one there now/).check();
    expect([await restore.isDisabled(), await attempt.isDisabled()]).toEqual([false, true]);
    await destination.fill(known);
    await page.getByLabel("to restore").press("Enter");
    await page.getByText(/Restored in/).waitFor();
    expect(existsSync(elsewhere)).toBe(false);
    await page.getByRole("button", { name: "Undo the restore" }).click();
    await page.getByRole("button", { name: "Undo the restore now" }).waitFor();
    // Somebody else restores meanwhile.
    await page.route("**/v1/operations?*", (route) => route.abort());
    await page.waitForTimeout(100);
    const { body } = await ask(`${host.url}/v1/restores`, "POST", { source: known });
    const done = async () => (await ask(`${host.url}/v1/${String(body["name"])}`)).body["done"];
    await eventually(done);
    const after = (await links(host)).sort();
    await page.getByRole("button", { name: "Undo the restore now" }).click();
    await page.getByText(/was restored again, or undone, since that restore/).waitFor();
    expect((await links(host)).sort()).toEqual(after);
  }, 60_000);

  test.each(appearances)(
    "every screen can be read and used at %i px, %s",
    async (width, colorScheme) => {
      await accident(host);
      const { page, problems } = await openPage({
        viewport: { width, height: 800 },
        colorScheme,
        // The pages of tests may add a script, which the policy of the console refuses.
        bypassCSP: true,
      });
      for (const screen of ["Overview", "Timeline", "Operations"]) {
        await page.goto(`${host.url}/console/#/${screen.toLowerCase()}`);
        await page.getByRole("heading", { name: screen }).waitFor();
        if (screen === "Timeline") {
          await page.getByRole("button", { name: "Before the burst of deletions" }).click();
          await page.getByText("30 documents come back").waitFor();
        }
        await expectUsable(page, screen.toLowerCase(), width, colorScheme);
      }
      expect(problems).toEqual([]);
    },
    60_000,
  );

  test("is usable by keyboard alone", async () => {
    await accident(host);
    const { page } = await openPage();
    await page.goto(`${host.url}/console/#/timeline`);
    const pressUntil = async (name: string) => {
      for (let presses = 0; presses < 40; presses += 1) {
        await page.keyboard.press("Tab");
        const text = await page.evaluate(
          `document.activeElement.textContent + " " + document.activeElement.id`,
        );
        if (String(text).includes(name)) return;
      }
      throw new Error(`No way by Tab to ${name}.`);
    };
    await page.getByRole("heading", { name: "Timeline" }).waitFor();
    await pressUntil("Before the burst");
    await page.keyboard.press("Enter");
    await page.getByText("30 documents come back").waitFor();
    await pressUntil("confirm");
    await page.keyboard.type(index);
    await pressUntil("Restore");
    await page.keyboard.press("Enter");
    await page.getByText(/Restored in/).waitFor();
  }, 60_000);

  test("shows hostile names as text", async () => {
    const hostile = "<img src=x onerror=alert(1)>";
    await ask(`${host.url}/core/examples`, "POST", { documentSelfLink: "a", name: hostile });
    const destination = `file://${join(temporaryDirectory(), hostile)}`;
    await ask(`${host.url}/v1/backups`, "POST", { destination, container: "CONTAINER_DIRECTORY" });
    const { page, problems } = await openPage();
    for (const screen of ["overview", "operations", `timeline/${encodeURIComponent(hostile)}`]) {
      await page.goto(`${host.url}/console/#/${screen}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
    }
    await page.goto(`${host.url}/console/#/operations`);
    await page.getByText("onerror").first().waitFor();
    expect(await page.locator("img").count()).toBe(0);
    expect(problems).toEqual([]);
  }, 60_000);

  test("says that the host does not answer, and goes on when it does", async () => {
    await put(host, "a");
    const { page } = await openPage();
    await page.goto(host.url);
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.route("**/v1/**", (route) => route.abort());
    await page.getByText("The host does not answer.").waitFor({ timeout: 20_000 });
    await page.getByText("What is shown is older.").waitFor();
    await page.unroute("**/v1/**");
    await page.getByText("The host does not answer.").waitFor({ state: "hidden", timeout: 20_000 });
  }, 60_000);

  test("asks for no more than 80 KB, and nothing of other hosts", async () => {
    const sizes = readdirSync("dist/console")
      .filter((name) => name.endsWith(".gz"))
      .map((name) => statSync(join("dist/console", name)).size);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(80 * 1024);
    const { page } = await openPage();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(host.url);
    await goTo(page, "Timeline");
    await page.locator("canvas").waitFor();
    expect(asked.filter((url) => !url.startsWith(host.url))).toEqual([]);
  }, 30_000);
});

(haveBrowser ? describe : describe.skip)("the console of a host with tokens", () => {
  test("asks for a token, keeps it out of addresses and storage, and forgets it", async () => {
    const root = temporaryDirectory();
    const tokenFile = join(root, "tokens");
    const { writeFileSync } = await import("node:fs");
    writeFileSync(tokenFile, "the-secret-token admin\n", { mode: 0o600 });
    const host = await serve(["--data-dir", join(root, "data"), "--token-file", tokenFile]);
    const { page, problems } = await openPage();
    await page.goto(host.url);
    await page.getByLabel("Token").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Token").fill("the-secret-token");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    const stored = "JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie])";
    expect(await page.evaluate(stored)).toBe('[{},{},""]');
    expect(page.url()).not.toContain("secret");
    await page.reload();
    await page.getByLabel("Token").fill("the-secret-token");
    await page.getByLabel(/Remember/).check();
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Token").waitFor();
    expect(await page.evaluate(stored)).toBe('[{},{},""]');
    expect(problems).toEqual([]);
    await host.stop();
  }, 60_000);
});

test("--no-console turns it off, and programs find the API at / otherwise", async () => {
  const on = await serve(["--data-dir", join(temporaryDirectory(), "data")]);
  expect(await ask(`${on.url}/`)).toMatchObject({
    status: 200,
    body: { api: "/v1/openapi.json", console: "/console/" },
  });
  for (const path of ["/console/../package.json", "/console/%2e%2e/x.js", "/console/none.js"])
    expect((await ask(`${on.url}${path}`)).status).toBe(404);
  expect((await ask(`${on.url}/console/`, "POST", {})).status).toBe(405);
  await on.stop();
  const off = await serve(["--data-dir", join(temporaryDirectory(), "data"), "--no-console"]);
  expect((await ask(`${off.url}/console/`)).status).toBe(404);
  expect((await ask(`${off.url}/`)).status).toBe(404);
  await off.stop();
}, 30_000);
