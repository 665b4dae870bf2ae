import { limits } from "../../limits.js";

/** Greatest number of bytes of bodies that one statement of an export copies, which bounds how long it runs. */
export const statementBytes = 32 * 1024 * 1024;

/**
 * Returns how many of the next rows one statement of an export copies, by the sizes of their bodies: at most
 * limits.exportRows, and fewer until they fit into statementBytes. It depends on the rows alone, and so do the bytes of
 * the segment.
 */
export function partOf(sizes: readonly number[]): number {
  let rows: number = limits.exportRows;
  const bytesOf = (count: number) => sizes.slice(0, count).reduce((sum, size) => sum + size, 0);
  while (rows > 1 && bytesOf(rows) > statementBytes) rows = Math.max(1, Math.floor(rows / 4));
  return Math.min(rows, sizes.length);
}
