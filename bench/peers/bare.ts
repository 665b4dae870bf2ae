import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { serve } from "../process-tools.js";
import { copySynced } from "../synced.js";
import { httpWork, type Peer } from "./store.js";

/** node:http that keeps the documents in memory alone. */
export const memory: Peer = {
  name: "memory",
  async start() {
    const { port, close } = await serve("memory-server.mjs");
    return { ...httpWork(port), stop: close };
  },
};

/** node:http over the writer of Holdfast: it writes and does nothing else. */
export const writer: Peer = {
  name: "writer",
  async start(directory) {
    const { port, close } = await serve("bare-server.mjs", directory);
    const { load, writes } = httpWork(port);
    return { load, writes, stop: close };
  },
};

/** Copies the last full backup of Holdfast. */
export const copy: Peer = {
  name: "copy",
  async start(directory, ours) {
    mkdirSync(directory);
    return {
      async fullBackup() {
        return copySynced(ours?.backupDirectory?.() ?? "", mkdtempSync(join(directory, "copy-")));
      },
      async stop() {},
    };
  },
};
