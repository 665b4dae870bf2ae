import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { haveBrowser, openPage } from "../support/browser.js";
import { appearances, expectUsable, goTo, put } from "../support/console.js";
import { eventually } from "../support/eventually.js";
import { ask, runToEnd, serve, type ServedHost } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** The screen of documents, and opened indexes, in a real browser. */

const patch = (host: ServedHost, link: string, body: object) =>
  ask(`${host.url}${link}`, "PATCH", body);
const ada = "/core/examples/ada";

/** A document with three versions, one that was deleted, and others. */
async function fill(host: ServedHost): Promise<void> {
  for (let n = 0; n < 5; n += 1) await put(host, `other-${n}`);
  await put(host, "ada", "Ada");
  await patch(host, ada, { name: "Ada Lovelace", counter: 1 });
  await patch(host, ada, { counter: 2 });
  await put(host, "gone", "<img src=x onerror=alert(1)>");
  await ask(`${host.url}/core/examples/gone`, "DELETE");
}

(haveBrowser ? describe : describe.skip)("the documents of the console", () => {
  let host: ServedHost;
  beforeEach(async () => {
    host = await serve(["--data-dir", join(temporaryDirectory(), "data")]);
  });
  afterEach(() => host.stop());

  test("are browsed and filtered; versions are shown, compared, and one is restored", async () => {
    await fill(host);
    const { page, problems } = await openPage();
    await page.goto(host.url);
    await goTo(page, "Documents");
    await page.getByText("6 documents", { exact: true }).waitFor();
    await page.getByLabel("Filter").fill("counter eq 2");
    await page.getByRole("button", { name: "Filter" }).click();
    await page.getByText("1 document", { exact: true }).waitFor();
    await page.getByRole("link", { name: "ada", exact: true }).click();
    await page.getByRole("heading", { name: ada }).waitFor();
    await page.getByText("From version 1 to version 2").waitFor();
    await page.getByRole("row", { name: "/counter 1 2" }).waitFor();
    await page.getByLabel("Show version 0").check();
    await page.getByText('"name": "Ada"', { exact: false }).waitFor();
    await page.getByLabel("Compare with version 2").check();
    await page.getByRole("row", { name: /^\/name "Ada Lovelace" "Ada"$/ }).waitFor();
    await page.getByRole("button", { name: "Restore this version" }).click();
    await page.getByRole("button", { name: "Write these fields as a new version" }).click();
    await page.getByLabel("Show version 3").waitFor();
    expect((await ask(`${host.url}${ada}`)).body).toMatchObject({
      name: "Ada",
      documentVersion: 3,
    });
    expect(problems).toEqual([]);
  }, 60_000);

  test("a deleted one is found by its link, and comes back", async () => {
    await fill(host);
    const { page, problems } = await openPage();
    const link = "/core/examples/gone";
    await page.goto(`${host.url}/console/#/documents`);
    await page.getByLabel("Name or link, also of a deleted document").fill("gone");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.getByText("The document was deleted.").waitFor();
    await page.getByLabel("Show version 0").check();
    await page.getByText("onerror").first().waitFor();
    expect(await page.locator("img").count()).toBe(0);
    await page.getByRole("button", { name: "Restore this version" }).click();
    await page.getByRole("button", { name: "Write these fields as a new version" }).click();
    await page.getByLabel("Show version 2").waitFor();
    expect((await ask(`${host.url}${link}`)).body["name"]).toContain("onerror");
    expect(problems).toEqual([]);
  }, 60_000);

  test("are as they were at a time, and in an index that is opened beside the live one", async () => {
    await fill(host);
    const { page, problems } = await openPage();
    // Writes of the same millisecond have later times.
    await page.waitForTimeout(10);
    const before = Date.now() * 1000;
    await page.waitForTimeout(10);
    await ask(`${host.url}${ada}`, "DELETE");
    await page.goto(`${host.url}/console/#/documents`);
    await page.getByText("5 documents", { exact: true }).waitFor();
    await page.getByLabel("As of a time").fill(String(before));
    await page.getByRole("button", { name: "Set" }).click();
    await page.getByText("6 documents", { exact: true }).waitFor();
    await goTo(page, "Timeline");
    await page.getByRole("textbox", { name: "Time, in the zone" }).fill(String(before));
    await page.getByRole("button", { name: "Set" }).click();
    await page.getByText("1 document comes back").waitFor();
    await page.getByLabel(/open it beside the live index/).check();
    await page.getByRole("button", { name: "Open beside the live index" }).click();
    await page.getByRole("link", { name: /^Look at \/core\/opened-indexes\// }).click();
    await page.getByText("6 documents", { exact: true }).waitFor();
    await page.getByRole("link", { name: "ada", exact: true }).click();
    await page.getByText(/^From version 2 here to the live document$/).waitFor();
    await page.getByRole("button", { name: "Restore this version" }).click();
    await page.getByRole("button", { name: "Write these fields as a new version" }).click();
    await page.getByText("Written as version 4 of the live document.").waitFor();
    expect((await ask(`${host.url}${ada}`)).status).toBe(200);
    await page.getByRole("button", { name: "Close" }).click();
    await page.getByText("is not open any more").waitFor();
    expect(problems).toEqual([]);
  }, 60_000);

  test.each(appearances)(
    "can be read and used at %i px, %s",
    async (width, colorScheme) => {
      await fill(host);
      await ask(`${host.url}/v1/indexes:open`, "POST", {});
      const viewport = { width, height: 800 };
      // The pages of tests may add a script, which the policy of the console refuses.
      const { page, problems } = await openPage({ viewport, colorScheme, bypassCSP: true });
      await page.goto(`${host.url}/console/#/documents/${encodeURIComponent(ada)}`);
      await page.getByText("From version 1 to version 2").waitFor();
      await page.getByText(/opened-indexes.*closes/).waitFor();
      await expectUsable(page, "documents", width, colorScheme);
      expect(problems).toEqual([]);
    },
    60_000,
  );

  test("100,000 documents are listed page by page, and the timeline stays quick", async () => {
    const root = temporaryDirectory();
    const file = join(root, "in.ndjson");
    const lines = Array.from(
      { length: 100_000 },
      (_, n) => `{"documentSelfLink":"d-${String(n).padStart(6, "0")}","name":"n${n}"}\n`,
    );
    writeFileSync(file, lines.join(""));
    const importing = ["import", file, "--factory", "/core/examples", "--address", host.grpc];
    expect((await runToEnd(importing)).code).toBe(0);
    const { page, problems } = await openPage();
    await page.goto(`${host.url}/console/#/documents`);
    await page.getByText("50 documents, and more").waitFor();
    await page.getByRole("button", { name: "Show more" }).click();
    await page.getByText("100 documents, and more").waitFor();
    expect(await page.locator("ul.found li").count()).toBe(100);
    await page.getByLabel("Filter").fill("name eq 'n99999'");
    await page.getByRole("button", { name: "Filter" }).click();
    await page.getByRole("link", { name: "d-099999" }).waitFor();
    await goTo(page, "Timeline");
    await page.getByText(/100.000 created/).waitFor();
    expect(problems).toEqual([]);
  }, 120_000);
});

(haveBrowser ? describe : describe.skip)("roles and faults", () => {
  const serveWith = async (tokens: string) => {
    const root = temporaryDirectory();
    const file = join(root, "tokens");
    writeFileSync(file, tokens, { mode: 0o600 });
    return serve(["--data-dir", join(root, "data"), "--token-file", file]);
  };
  const signIn = async (host: ServedHost, token: string) => {
    const opened = await openPage();
    const { page } = opened;
    await page.goto(host.url);
    await page.getByLabel("Token").fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    return opened;
  };

  test("a token with the role read sees documents, and is offered neither writes nor restores", async () => {
    const host = await serveWith("reader read\nwriter write\n");
    await put(host, "a", "a", { authorization: "Bearer writer" });
    await ask(
      `${host.url}/core/examples/a`,
      "PATCH",
      { counter: 1 },
      { authorization: "Bearer writer" },
    );
    const { page, problems } = await signIn(host, "reader");
    await goTo(page, "Documents");
    await page.getByRole("link", { name: "a", exact: true }).click();
    await page.getByLabel("Show version 0").check();
    await page.getByRole("heading", { name: "Version 0" }).waitFor();
    expect(await page.getByRole("button", { name: "Restore this version" }).count()).toBe(0);
    await goTo(page, "Timeline");
    await page.getByText(/does not have the role restore/).waitFor();
    expect(await page.getByRole("button", { name: "Restore", exact: true }).count()).toBe(0);
    expect(problems).toEqual([]);
    await host.stop();
  }, 60_000);

  test("a token with the role backup verifies and runs, and neither prunes nor pauses", async () => {
    const host = await serveWith("saver backup,read\nboss admin\n");
    const boss = { authorization: "Bearer boss" };
    await put(host, "a", "a", boss);
    const uri = `file://${join(temporaryDirectory(), "backups")}`;
    const policy = { name: "daily", destination: uri, schedule: { cron: "0 3 * * *" } };
    expect((await ask(`${host.url}/v1/policies`, "POST", policy, boss)).status).toBe(200);
    await ask(`${host.url}/v1/policies/daily:run`, "POST", {}, boss);
    await eventually(async () => {
      const { body } = await ask(`${host.url}/v1/policies/daily/runs`, "GET", undefined, boss);
      return (body["runs"] as { state: string }[])[0]?.state === "POLICY_RUN_STATE_SUCCEEDED";
    });
    const { page, problems } = await signIn(host, "saver");
    await goTo(page, "Policies");
    await page.getByRole("button", { name: "Run now" }).waitFor();
    expect(await page.getByRole("button", { name: "Pause" }).count()).toBe(0);
    await goTo(page, "Backups");
    await page
      .getByText(/^1 backup/)
      .first()
      .waitFor();
    expect(await page.getByRole("checkbox", { name: /^Choose/ }).count()).toBe(0);
    expect(problems).toEqual([]);
    await host.stop();
  }, 60_000);

  test("a policy is removed after a second click, and its backups stay", async () => {
    const host = await serve(["--data-dir", join(temporaryDirectory(), "data")]);
    const destination = `file://${join(temporaryDirectory(), "backups")}`;
    const policy = { name: "daily", destination, schedule: { cron: "0 3 * * *" } };
    await ask(`${host.url}/v1/policies`, "POST", policy);
    const { page, problems } = await openPage();
    await page.goto(`${host.url}/console/#/policies`);
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await page.getByRole("button", { name: "Remove daily; its backups stay" }).click();
    await page.getByRole("heading", { name: "There are no policies" }).waitFor();
    expect((await ask(`${host.url}/v1/policies/daily`)).status).toBe(404);
    expect(problems).toEqual([]);
    await host.stop();
  }, 60_000);

  test("asks for a token again when it has expired, without losing the page", async () => {
    const expires = new Date(Date.now() + 6_000).toISOString();
    const host = await serveWith(`soon admin expires=${expires}\nlater admin\n`);
    const { page, problems } = await signIn(host, "soon");
    await goTo(page, "Documents");
    await page.getByLabel("Token").waitFor({ timeout: 30_000 });
    await page.getByLabel("Token").fill("later");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Documents" }).waitFor();
    expect(problems).toEqual([]);
    await host.stop();
  }, 60_000);

  test("a slow host is waited for, and nothing is asked twice meanwhile", async () => {
    const host = await serve(["--data-dir", join(temporaryDirectory(), "data")]);
    await put(host, "a");
    const { page, problems } = await openPage();
    let under = 0;
    let most = 0;
    await page.route("**/v1/host", async (route) => {
      under += 1;
      most = Math.max(most, under);
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      under -= 1;
      await route.continue();
    });
    await page.goto(host.url);
    await page.getByRole("heading", { name: "Overview" }).waitFor({ timeout: 20_000 });
    await goTo(page, "Documents");
    await page.getByRole("link", { name: "a", exact: true }).waitFor();
    expect(most).toBe(1);
    expect(problems).toEqual([]);
    await host.stop();
  }, 60_000);
});
