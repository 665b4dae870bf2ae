import {
  PreviewPolicyResponseSchema,
  type PreviewPolicyResponse,
} from "../../../gen/ts/holdfast/management/v1/policy_pb.js";
import type { CommandContext } from "../command-context.js";
import { withHost } from "../connect/session.js";
import { displayUri } from "../destination-uri.js";
import type { HostFlags } from "../flags.js";
import { formatBytes, formatCount } from "../output/format.js";
import { warningsOf } from "../output/result.js";
import { table } from "../output/table.js";
import { retentionOf, type RetentionFlags } from "../policy-settings.js";

/** Flags of holdfast policy preview. */
export interface PreviewPolicyFlags extends HostFlags, RetentionFlags {}

/** Implements holdfast policy preview. */
export async function previewPolicy(
  context: CommandContext,
  flags: PreviewPolicyFlags,
  name = "",
): Promise<void> {
  const retention = retentionOf(flags);
  await withHost(context, flags, async ({ policies }) => {
    const response = await policies.previewPolicy(
      { name, ...(retention && { retention }) },
      { signal: context.abort.signal },
    );
    await context.printResult(PreviewPolicyResponseSchema, response, () =>
      previewText(context, response),
    );
  });
}

/** Formats what retention would do. */
export function previewText(
  { formatTime }: Pick<CommandContext, "formatTime">,
  { decisions, warnings, freedBytes }: PreviewPolicyResponse,
): string {
  const columns = [
    { head: "EFFECT" },
    { head: "DESTINATION" },
    { head: "BACKUP" },
    { head: "CREATED" },
    { head: "REASONS" },
  ];
  const rows = decisions.map((one) => [
    one.keep ? "keep" : "remove",
    displayUri(one.destination),
    one.backupName,
    formatTime(one.createTimeMicros),
    one.reasons.join(", "),
  ]);
  const removed = decisions.filter(({ keep }) => !keep).length;
  return [
    rows.length === 0 ? "No backups." : table(columns, rows),
    ...warningsOf(warnings),
    `Nothing was removed. Retention would keep ${formatCount(rows.length - removed, "backup")} and remove ${formatCount(removed, "backup")}, which frees ${formatBytes(freedBytes)}.`,
  ].join("\n");
}
