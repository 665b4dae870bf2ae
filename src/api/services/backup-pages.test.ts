import { limits } from "../../limits.js";
import type { BackupListing } from "../../backup/listing.js";
import { BackupPages } from "./backup-pages.js";

const listed = (count: number, segments = 1): BackupListing[] =>
  Array.from({ length: count }, (_one, i) => ({
    name: `b${i}`,
    uri: "file:///d",
    state: "COMPLETE",
    backup: { segments: Array.from({ length: segments }) } as NonNullable<BackupListing["backup"]>,
  }));
const request = { uri: "file:///d", recursive: false, pageToken: "", pageSize: 10 };

async function all(pages: BackupPages, list: () => Promise<BackupListing[]>) {
  const sizes: number[] = [];
  const names: string[] = [];
  let pageToken = "";
  do {
    const page = await pages.page({ ...request, pageToken }, list);
    sizes.push(page.listed.length);
    names.push(...page.listed.map(({ name }) => name));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return { sizes, names };
}

test("lists once for all pages, which show the destination at one time", async () => {
  const list = jest.fn(() => Promise.resolve(listed(25)));
  const { sizes, names } = await all(new BackupPages(), list);
  expect(sizes).toEqual([10, 10, 5]);
  expect(names).toEqual(listed(25).map(({ name }) => name));
  expect(list).toHaveBeenCalledTimes(1);
});

test("lists anew for the page of a listing that is no longer kept", async () => {
  const pages = new BackupPages();
  const list = () => Promise.resolve(listed(25));
  const { nextPageToken } = await pages.page(request, list);
  for (let i = 0; i < limits.keptListings; i += 1) await pages.page(request, list);
  const next = await pages.page({ ...request, pageToken: nextPageToken }, () =>
    Promise.resolve(listed(25).slice(5)),
  );
  expect(next.listed[0]?.name).toBe("b10");
});

test("refuses a token of another destination, and one whose backup is gone", async () => {
  const pages = new BackupPages();
  const list = () => Promise.resolve(listed(25));
  const { nextPageToken: pageToken } = await pages.page(request, list);
  const refused = expect.objectContaining({ reason: "PAGE_TOKEN_INVALID" }) as Error;
  await expect(pages.page({ ...request, uri: "file:///e", pageToken }, list)).rejects.toThrow(
    refused,
  );
  await expect(new BackupPages().page({ ...request, pageToken }, async () => [])).rejects.toThrow(
    refused,
  );
});

test("bounds a page by the segments of its backups, and has at least one backup", async () => {
  const segments = limits.listedSegments / 4;
  const list = (count: number, each: number) => () => Promise.resolve(listed(count, each));
  expect((await all(new BackupPages(), list(10, segments))).sizes).toEqual([4, 4, 2]);
  expect((await all(new BackupPages(), list(2, segments * 5))).sizes).toEqual([1, 1]);
});
