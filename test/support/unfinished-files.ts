import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Partial files below a directory. Waits for records that the host writes after its response. */
export async function unfinishedFiles(root: string): Promise<string[]> {
  for (let tries = 0; ; tries += 1) {
    const names = readdirSync(root, { recursive: true })
      .map(String)
      .filter((name) => /\.holdfast-|\.lease|\.tmp/.test(name));
    if (tries === 200 || !names.some((name) => /^data\/\.holdfast-\w+\.tmp$/.test(name)))
      return names;
    await sleep(10);
  }
}
