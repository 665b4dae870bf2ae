import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../local-store.js";
import { manage } from "../management.js";
import { startProgram } from "../process-tools.js";
import { syncFiles } from "../synced.js";
import { managementBackups } from "./management-backups.js";
import { httpWork, timed, untilOk, type Peer, type Store } from "./store.js";

const path = "/core/examples";

/** A build of Xenon that XENON_HOME names; it starts with its script. */
export function xenon(): Peer[] {
  const script = join(process.env["XENON_HOME"] ?? "", "run.sh");
  if (!existsSync(script)) {
    process.stderr.write("SKIPPED: Xenon: XENON_HOME names no directory with run.sh.\n");
    return [];
  }
  return [{ name: "Xenon", start: (directory) => start(script, directory) }];
}

async function start(script: string, directory: string): Promise<Store> {
  mkdirSync(directory);
  const run = (port: number, sandbox: string) =>
    startProgram(script, [String(port), join(directory, sandbox)], { JAVA_OPTS: "-Xmx4g" });
  const port = await freePort();
  const host = run(port, "host");
  await untilOk(`http://127.0.0.1:${port}${path}`);
  const http = httpWork(port, { path });
  let count = 0;
  const backups = await managementBackups(directory, {
    ...{ port, path },
    documents: () => count,
    // It does not sync what it copies.
    complete: syncFiles,
  });
  let restores = 0;
  /** Only a new host takes a ZIP, and only after a restart does a host serve nothing but what was restored. */
  const restore = async (source: string) => {
    const sandbox = `restored-${(restores += 1)}`;
    const restoredPort = await freePort();
    const url = `http://127.0.0.1:${restoredPort}${path}`;
    let restored = run(restoredPort, sandbox);
    await untilOk(url);
    const time = await timed(async () => {
      await manage(restoredPort, "RestoreRequest", { destination: `file:${source}` });
      await restored.stop();
      restored = run(restoredPort, sandbox);
      await untilOk(`${url}/d${count - 1}`);
    });
    await restored.stop();
    return time;
  };
  return {
    ...http,
    ...backups,
    load: (documents) => http.load((count = documents)),
    restoreDirectory: () => restore(backups.backupDirectory()),
    restoreZip: () => restore(backups.zipFile),
    async stop() {
      await backups.stop();
      await host.stop();
    },
  };
}
