import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { ask, type ServedHost } from "./served-host.js";

/** What the tests of the web console share. */

const axe = createRequire(resolve("package.json")).resolve("axe-core/axe.min.js");
const screenshots = ".cache/screenshots";

/** Widths and colours in which every screen must be usable. */
export const appearances = [
  [1280, "light"],
  [1280, "dark"],
  [360, "light"],
  [360, "dark"],
] as const;

/** Creates a document of the examples, with a text of any size. */
export const put = async (
  host: ServedHost,
  link: string,
  name = link,
  headers: Record<string, string> = {},
) =>
  expect(
    (await ask(`${host.url}/core/examples`, "POST", { documentSelfLink: link, name }, headers))
      .status,
  ).toBe(200);

/** Follows a link of the navigation. */
export const goTo = (page: Page, screen: string) =>
  page.getByRole("link", { name: screen, exact: true }).click();

/** What axe-core finds; the context of the page must bypass its Content-Security-Policy. */
async function violations(page: Page): Promise<string[]> {
  await page.addScriptTag({ path: axe });
  const found = await page.evaluate(
    `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join(" ")))`,
  );
  return found as string[];
}

/** Keeps a picture of a screen, and expects it to be accessible and no wider than the page. */
export async function expectUsable(
  page: Page,
  screen: string,
  width: number,
  colorScheme: string,
): Promise<void> {
  mkdirSync(screenshots, { recursive: true });
  const path = join(screenshots, `${screen}-${width}-${colorScheme}.png`);
  await page.screenshot({ path, fullPage: true });
  expect(await violations(page)).toEqual([]);
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
}
