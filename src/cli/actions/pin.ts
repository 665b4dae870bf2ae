import {
  PinBackupResponseSchema,
  UnpinBackupResponseSchema,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { CommandContext } from "../command-context.js";
import { withHost } from "../connect/session.js";
import { displayUri, toUri } from "../destination-uri.js";
import type { HostFlags } from "../flags.js";

/** Flags of holdfast pin. */
export interface PinFlags extends HostFlags {
  reason?: string;
}

/** Implements holdfast pin. */
export async function pin(
  context: CommandContext,
  { reason = "", ...flags }: PinFlags,
  destination = "",
  backupName = "",
): Promise<void> {
  const uri = toUri(destination);
  await withHost(context, flags, async ({ management }) => {
    const { signal } = context.abort;
    const pinned = await management.pinBackup({ uri, backupName, reason }, { signal });
    await context.printResult(
      PinBackupResponseSchema,
      pinned,
      () => `Pinned ${backupName} at ${displayUri(uri)}. Nothing removes it until holdfast unpin.`,
    );
  });
}

/** Implements holdfast unpin. */
export async function unpin(
  context: CommandContext,
  flags: HostFlags,
  destination = "",
  backupName = "",
): Promise<void> {
  const uri = toUri(destination);
  await withHost(context, flags, async ({ management }) => {
    const { signal } = context.abort;
    const unpinned = await management.unpinBackup({ uri, backupName }, { signal });
    await context.printResult(
      UnpinBackupResponseSchema,
      unpinned,
      () => `${backupName} at ${displayUri(uri)} has no pin.`,
    );
  });
}
