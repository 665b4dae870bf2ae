import { join } from "node:path";
import { manage, patchDocuments } from "../management.js";
import { plainStore } from "../plain-store.js";
import { timed, type Store } from "./store.js";

type Backups = Required<
  Pick<Store, "fullBackup" | "incremental" | "zip" | "stream" | "backupDirectory" | "stop">
> & { zipFile: string };

/** The backups of a host with /core/management, Holdfast or Xenon, below a directory that is there. */
export async function managementBackups(
  directory: string,
  host: {
    port: number;
    /** Path of the documents. */
    path: string;
    documents: () => number;
    /** What is missing to a backup in a directory when the host has answered. */
    complete?: (backup: string) => void;
  },
): Promise<Backups> {
  const { port, path, documents, complete } = host;
  const zipFile = join(directory, "backup.zip");
  const receiver = await plainStore(join(directory, "received.zip"));
  const backUp = (backupType: string, destination: string) =>
    manage(port, "BackupRequest", { backupType, destination });
  let full = 0;
  let changes = 0;
  const backupDirectory = () => join(directory, `full-${full}`);
  const toDirectory = () =>
    timed(async () => {
      await backUp("DIRECTORY", `file:${backupDirectory()}`);
      complete?.(backupDirectory());
    });
  return {
    backupDirectory,
    zipFile,
    fullBackup() {
      full += 1;
      return toDirectory();
    },
    async incremental() {
      changes += 1;
      const count = documents();
      const length = Math.floor(count / 100);
      const changed = Array.from({ length }, (_, i) => (i * 97 + changes) % count);
      await patchDocuments(port, changed, { path });
      return toDirectory();
    },
    zip: () => backUp("ZIP", `file:${zipFile}`),
    stream: () => backUp("STREAM", `http://127.0.0.1:${receiver.port}/received.zip`),
    stop: () => receiver.close(),
  };
}
