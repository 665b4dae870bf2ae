import { chmodSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { publishFile } from "./durable-file.js";
import { nodeFileSystem } from "./node-file-system.js";

test("publishes a file with the mode of the file that it replaces", async () => {
  const root = temporaryDirectory();
  const [from, to] = [join(root, "from"), join(root, "to")];
  for (const mode of [0o600, 0o640]) {
    writeFileSync(to, "old");
    chmodSync(to, mode);
    writeFileSync(from, "new");
    await publishFile({ files: nodeFileSystem }, from, to);
    expect(statSync(to).mode & 0o777).toBe(mode);
  }
});
