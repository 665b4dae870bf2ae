import { readdirSync } from "node:fs";
import { eventually } from "./eventually.js";

/** Partial files below a directory. Waits for records that the host writes after its response. */
export async function unfinishedFiles(root: string): Promise<string[]> {
  const unfinished = () =>
    readdirSync(root, { recursive: true })
      .map(String)
      .filter((name) => /\.holdfast-|\.lease|\.tmp/.test(name));
  // The listing that shows no record being written is the result: the next record may begin after it.
  const settled = await eventually(
    () => {
      const names = unfinished();
      return !names.some((name) => /^data\/\.holdfast-\w+\.tmp$/.test(name)) && { names };
    },
    { state: unfinished },
  );
  return settled.names;
}
