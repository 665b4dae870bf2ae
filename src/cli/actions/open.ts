import {
  CloseBackupResponseSchema,
  OpenedIndexSchema,
  type OpenedIndex,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { CommandContext } from "../command-context.js";
import { withHost } from "../connect/session.js";
import { displayUri, toUri } from "../destination-uri.js";
import type { HostFlags, OperationFlags } from "../flags.js";
import { readDecryption, type DecryptionFlags } from "../keys.js";
import { resultOf, runOperation } from "../operation.js";
import { formatBytes, formatCount } from "../output/format.js";
import { warningsOf } from "../output/result.js";
import { list } from "../output/table.js";
import { nowMicros, parseTime, parseUntil } from "../time.js";

/** Flags of holdfast open. */
export interface OpenFlags extends OperationFlags, DecryptionFlags {
  at?: string;
  backup?: string;
  index?: string;
  for?: string;
  requestId?: string;
}

/** Implements holdfast open. */
export async function open(
  context: CommandContext,
  flags: OpenFlags,
  source?: string,
): Promise<void> {
  const now = nowMicros();
  const request = {
    pointInTime: {
      uri: source === undefined ? "" : toUri(source),
      backupName: flags.backup ?? "",
      indexLink: flags.index ?? "",
      ...(flags.at !== undefined && { targetTimeMicros: parseTime(flags.at, now) }),
      ...(await readDecryption(context, flags)),
    },
    lifetimeMicros: flags.for === undefined ? 0n : parseUntil(flags.for, now) - now,
    requestId: flags.requestId ?? "",
  };
  await withHost(context, flags, async (session) => {
    const operation = await runOperation(context, flags, session, {
      start: () => session.management.openBackup(request),
      afterCancel: {
        state: "Nothing was opened.",
        retry: "To start over, run the same command again.",
      },
    });
    if (operation === undefined) return;
    const opened = resultOf(operation, OpenedIndexSchema);
    await context.printResult(OpenedIndexSchema, opened, () => openedText(context, opened));
  });
}

/** Implements holdfast close. */
export async function close(
  context: CommandContext,
  flags: HostFlags,
  indexLink = "",
): Promise<void> {
  await withHost(context, flags, async ({ management }) => {
    const { signal } = context.abort;
    const closed = await management.closeBackup({ indexLink }, { signal });
    await context.printResult(CloseBackupResponseSchema, closed, () => `Closed ${indexLink}.`);
  });
}

function openedText({ formatTime }: CommandContext, opened: OpenedIndex): string {
  const { indexLink, source, backupName, sourceIndexLink } = opened;
  return [
    `Opened ${indexLink}, read-only, until ${formatTime(opened.expireTimeMicros)}.`,
    list([
      ["of", source === "" ? sourceIndexLink : `${backupName} at ${displayUri(source)}`],
      ["as of", formatTime(opened.targetTimeMicros)],
      [
        "content",
        `${formatCount(opened.documents, "document")}, ${formatCount(opened.versions, "version")}, ${formatBytes(opened.sizeBytes)}`,
      ],
    ]),
    ...warningsOf(opened.warnings),
    `To read it: holdfast export --index ${indexLink}, holdfast documents list FACTORY --index ${indexLink}`,
  ].join("\n");
}
