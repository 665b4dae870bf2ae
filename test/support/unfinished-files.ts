import { readdirSync } from "node:fs";
import { eventually } from "./eventually.js";

/** Partial files below a directory. Waits for records that the host writes after its response. */
export async function unfinishedFiles(root: string): Promise<string[]> {
  const unfinished = () =>
    readdirSync(root, { recursive: true })
      .map(String)
      .filter((name) => /\.holdfast-|\.lease|\.tmp/.test(name));
  await eventually(() => !unfinished().some((name) => /^data\/\.holdfast-\w+\.tmp$/.test(name)), {
    state: unfinished,
  });
  return unfinished();
}
