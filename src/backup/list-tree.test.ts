import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { HostError } from "../errors.js";
import { FileDestination } from "../destination/file/destination.js";
import { nodeFileSystem } from "../io/node-file-system.js";
import { systemPlatform } from "../io/platform.js";
import { limits } from "../limits.js";
import { checkDigests } from "./digests.js";
import { listTree } from "./list-tree.js";
import type { BackupListing } from "./listing.js";

const never = new AbortController().signal;
const list = async (root: string, files = nodeFileSystem) =>
  (
    await listTree(
      systemPlatform,
      new FileDestination({ platform: { ...systemPlatform, files }, path: root }),
      { temporaryDirectory: root, signal: never },
    )
  ).map(({ uri, state, problem = "" }) => [uri.replace(/.*\//, ""), state, problem]);

/** Creates an incomplete backup, which a listing shows. */
function partial(directory: string): string {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, ".holdfast-x.tmp"), "");
  return directory;
}

test("lists each backup once despite symbolic link loops", async () => {
  const root = temporaryDirectory();
  partial(join(root, "shop"));
  symlinkSync(root, join(root, "shop", "up"));
  symlinkSync(root, join(root, "again"));
  symlinkSync(join(root, "shop"), join(root, "a-link"));
  expect(await list(root)).toEqual([["shop", "INCOMPLETE", expect.any(String)]]);
});

test("follows a symbolic link to another directory once", async () => {
  const root = temporaryDirectory();
  const elsewhere = temporaryDirectory();
  partial(elsewhere);
  symlinkSync(elsewhere, join(root, "one"));
  symlinkSync(elsewhere, join(root, "two"));
  symlinkSync(root, join(elsewhere, "back"));
  expect(await list(root)).toEqual([["one", "INCOMPLETE", expect.any(String)]]);
});

test("reports skipped names that are not UTF-8, and directories that are too deep", async () => {
  const root = temporaryDirectory();
  mkdirSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x66, 0xfc])]));
  partial(join(root, ...Array.from({ length: limits.listedDepth + 1 }, () => "d")));
  expect(await list(root)).toEqual([
    ["d", "FOREIGN", expect.stringContaining("not listed: it is more than 16 directories below")],
    ["f%EF%BF%BD", "FOREIGN", expect.stringContaining("not listed: its name is not UTF-8")],
  ]);
});

test("an unreadable directory is not damaged, and the listing continues", async () => {
  const root = temporaryDirectory();
  mkdirSync(join(root, "lost+found"));
  partial(join(root, "shop"));
  const files = {
    ...nodeFileSystem,
    async list(path: string) {
      if (path.endsWith("lost+found"))
        throw Object.assign(new Error("no"), { code: "EACCES", path });
      return nodeFileSystem.list(path);
    },
  };
  expect(await list(root, files)).toEqual([
    ["lost+found", "FOREIGN", expect.stringContaining("EACCES")],
    ["shop", "INCOMPLETE", expect.any(String)],
  ]);
});

test("a check of digests continues after an unreadable backup", async () => {
  const listings: BackupListing[] = ["a", "b"].map((name) => ({
    name,
    uri: `file:/${name}`,
    state: "COMPLETE",
  }));
  const open = async (uri: string) => {
    throw uri.endsWith("a")
      ? Object.assign(new Error("no"), { code: "EACCES", path: "/a/x" })
      : new HostError("BACKUP_DAMAGED", "cut off");
  };
  expect(await checkDigests(listings, open, never)).toEqual([
    { ...listings[0], problem: expect.stringMatching(/not checked: .*\/a\/x.*EACCES/) },
    { ...listings[1], state: "DAMAGED", problem: "cut off" },
  ]);
});
