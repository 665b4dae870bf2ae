import { closeSync, fsyncSync, openSync } from "node:fs";

/** Makes a file or directory durable. Blocks: for threads and processes of their own; never for files of a live index. */
export function syncPath(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
