import { existsSync } from "node:fs";
import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from "playwright-core";

const program = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));

/** Whether there is a browser; otherwise a message says what is skipped. */
export const haveBrowser = program !== undefined;
if (!haveBrowser)
  process.stderr.write(
    "SKIPPED: no browser (Debian: chromium) is installed; the console is not tested.\n",
  );

/** A page that collects what a person does not see: errors of scripts, refused content, dialogs. */
export interface WatchedPage {
  page: Page;
  problems: string[];
}

let browser: Promise<Browser> | undefined;
let contexts: BrowserContext[] = [];
// A page that is left open goes on asking its host.
afterEach(async () => {
  await Promise.all(contexts.map((context) => context.close()));
  contexts = [];
});
afterAll(async () => {
  await (await browser)?.close();
});

/** Opens a page in a browser of its own, without anything of another page. */
export async function openPage(options: BrowserContextOptions = {}): Promise<WatchedPage> {
  browser ??= chromium.launch({
    ...(program !== undefined && { executablePath: program }),
    // The sandbox needs a user other than root.
    args: ["--no-sandbox"],
  });
  const context = await (await browser).newContext(options);
  contexts.push(context);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("dialog", (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("console", (message) => {
    // The browser itself reports requests that fail, which some tests want.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text()))
      problems.push(message.text());
  });
  return { page, problems };
}
