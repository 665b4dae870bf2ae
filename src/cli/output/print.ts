import { once } from "node:events";

/** Writes to standard output and waits until it accepts more; returns at once if it is closed. */
export async function print(data: string | Uint8Array): Promise<void> {
  const { stdout } = process;
  if (stdout.destroyed || stdout.write(data)) return;
  // signals.ts handles the error and aborts the command.
  await Promise.race([once(stdout, "drain"), once(stdout, "close")]).catch(() => {});
}
