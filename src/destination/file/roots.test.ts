import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { nodeFileSystem } from "../../io/node-file-system.js";
import { resolveInRoots } from "./roots.js";

test("rejects a path outside the roots with the same error, whether or not it exists", async () => {
  const top = temporaryDirectory();
  const root = join(top, "root");
  const outside = join(top, "outside");
  for (const directory of [root, outside]) mkdirSync(directory);
  writeFileSync(join(outside, "file"), "");
  symlinkSync("loop", join(outside, "loop"));
  symlinkSync(outside, join(root, "way-out"));
  const roots = { paths: [root], what: "backup root" };
  const results = await Promise.all(
    ["file", "file/below", "missing", "loop"]
      .flatMap((name) => [join(outside, name), join(root, "way-out", name)])
      .map((path) =>
        resolveInRoots(nodeFileSystem, roots, path).then(
          () => "allowed",
          (error: { reason: string; message: string }) =>
            `${error.reason} ${error.message.replace(path, "PATH")}`,
        ),
      ),
  );
  expect(new Set(results).size).toBe(1);
  expect(results[0]).toMatch(/^PATH_OUTSIDE_ROOTS The path PATH is outside/);
});
