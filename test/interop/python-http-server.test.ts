import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { haveTools } from "../support/tools.js";
import { fillWith, transferFixture } from "../support/transfer-fixture.js";

/** Serves a directory like `python3 -m http.server`: whole files only, whatever the range. */
async function pythonServer(directory: string) {
  const child = spawn(
    "python3",
    ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", directory],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  const [greeting] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
  return {
    origin: `http://127.0.0.1:${/port (\d+)/.exec(greeting)?.[1]}`,
    async stop() {
      child.kill();
      await once(child, "close");
    },
  };
}

test("restores a backup from a directory served by Python over HTTP, and rejects a foreign file", async () => {
  if (!haveTools("restoring from Python's http.server", "python3")) return;
  const directory = temporaryDirectory();
  const fixture = await transferFixture();
  await fillWith(fixture, 50);
  await fixture.backup("b.zip", { container: "ZIP", store: true });
  copyFileSync(join(fixture.root, "b.zip"), join(directory, "b.zip"));
  writeFileSync(join(directory, "page.html"), "<html></html>");
  const before = await fixture.contents();
  await fixture.put("d1", { changed: true });
  const server = await pythonServer(directory);
  try {
    expect(await fixture.restoreFrom(`${server.origin}/b.zip`)).toMatchObject({ documents: 50 });
    expect(await fixture.contents()).toEqual(before);
    await expect(fixture.restoreFrom(`${server.origin}/page.html`)).rejects.toMatchObject({
      reason: "BACKUP_FOREIGN",
    });
    await expect(fixture.restoreFrom(`${server.origin}/none.zip`)).rejects.toMatchObject({
      reason: "DESTINATION_REFUSED",
      message: expect.stringContaining("404") as string,
    });
    // The server has no PUT.
    await expect(fixture.backupTo(`${server.origin}/new.zip`)).rejects.toMatchObject({
      reason: "DESTINATION_REFUSED",
      message: expect.stringContaining("501") as string,
    });
    expect(fixture.leftovers()).toEqual([]);
  } finally {
    await server.stop();
  }
});
