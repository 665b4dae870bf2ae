import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { ask, serve, type Answer } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const kindPrefix = "com:vmware:xenon:services:common:ServiceHostManagementService:";

interface Written {
  link: string;
  updateTimeMicros: number;
  atMs: number;
}

test.each([1, 2, 3])(
  "after SIGKILL under load the automatic backups contain all writes until shortly before (round %i)",
  async (round) => {
    const root = temporaryDirectory();
    const destination = join(root, "auto");
    const host = await serve([
      "--data-dir",
      join(root, "data"),
      "--auto-backup-destination",
      destination,
    ]);
    expect(
      (
        await ask(`${host.url}/core/management`, "PATCH", {
          kind: `${kindPrefix}AutoBackupConfiguration`,
          enable: true,
        })
      ).status,
    ).toBe(200);
    const written: Written[] = [];
    let next = 0;
    let killed = false;
    const writers = Array.from({ length: 8 }, async () => {
      while (!killed) {
        const { status, body } = await ask(`${host.url}/core/examples`, "POST", {
          documentSelfLink: `n${(next += 1)}`,
          name: "x".repeat(200),
        }).catch((): Answer => ({ status: 0, body: {} }));
        if (status === 200)
          written.push({
            link: String(body["documentSelfLink"]),
            updateTimeMicros: Number(body["documentUpdateTimeMicros"]),
            atMs: Date.now(),
          });
      }
    });
    // The point of the load at which the process is killed.
    await sleep(2500 + 700 * round);
    const killedAtMs = Date.now();
    host.process.kill("SIGKILL");
    killed = true;
    await Promise.all(writers);

    const fresh = await serve(["--data-dir", join(root, "fresh")]);
    const restored = await ask(`${fresh.url}/core/management`, "PATCH", {
      kind: `${kindPrefix}RestoreRequest`,
      destination: pathToFileURL(destination).href,
    });
    expect(restored).toMatchObject({ status: 200 });
    const { body } = await ask(`${fresh.url}/core/examples?expand`);
    const documents = body["documents"] as Record<string, { documentUpdateTimeMicros: number }>;
    const last = Math.max(
      ...Object.values(documents).map(({ documentUpdateTimeMicros }) => documentUpdateTimeMicros),
    );
    // A prefix of the history without gaps ...
    expect(
      written.filter(
        ({ link, updateTimeMicros }) => updateTimeMicros <= last && documents[link] === undefined,
      ),
    ).toEqual([]);
    // ... that ends shortly before the kill: one second is guaranteed; a busy machine gets more.
    expect(
      written.filter(({ link, atMs }) => atMs < killedAtMs - 3000 && documents[link] === undefined),
    ).toEqual([]);
    expect(written.length).toBeGreaterThan(100);
  },
  60_000,
);
