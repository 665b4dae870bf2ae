import { once } from "node:events";

/** Writes to standard output and waits until it takes more; returns at once when nobody reads it any more. */
export async function print(data: string | Uint8Array): Promise<void> {
  const { stdout } = process;
  if (stdout.destroyed || stdout.write(data)) return;
  // An error is heard in signals.ts, which ends the run.
  await Promise.race([once(stdout, "drain"), once(stdout, "close")]).catch(() => {});
}
