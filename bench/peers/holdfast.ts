import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { manage } from "../management.js";
import { run, serve } from "../process-tools.js";
import { managementBackups } from "./management-backups.js";
import { httpWork, timed, untilOk, type Peer } from "./store.js";

const command = resolve(import.meta.dirname ?? __dirname, "../../dist/src/cli/main.js");
const path = "/bench";

/** Restores are online: into the host that has the documents. */
export const holdfast: Peer = {
  name: "Holdfast",
  async start(directory) {
    mkdirSync(directory);
    const { port, close } = await serve("host-process.mjs", join(directory, "data"));
    const http = httpWork(port, { path });
    let count = 0;
    const backups = await managementBackups(directory, { port, path, documents: () => count });
    const restore = (source: string) =>
      timed(async () => {
        await manage(port, "RestoreRequest", { destination: `file:${source}` });
        await untilOk(`http://127.0.0.1:${port}${path}/d${count - 1}`);
      });
    return {
      ...http,
      ...backups,
      load: (documents) => http.load((count = documents)),
      restoreDirectory: () => restore(backups.backupDirectory()),
      restoreZip: () => restore(backups.zipFile),
      async exportBackup(file) {
        await run(process.execPath, [command, "export", backups.backupDirectory(), "-o", file]);
      },
      async stop() {
        await backups.stop();
        await close();
      },
    };
  },
};
