import type { SelectionResult } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { formatNumber } from "../output/format.js";
import { differenceLine } from "../output/difference.js";

/** Formats the result of restoring selected documents, or of its dry run ("would be"). */
export function selectionText(
  result: SelectionResult,
  verb: "were" | "would be",
  formatTime: (micros: bigint) => string,
): string {
  const parts = [
    `${formatNumber(result.created)} created`,
    `${formatNumber(result.replaced)} replaced`,
    `${formatNumber(result.deleted)} deleted`,
    `${formatNumber(result.unchanged)} unchanged`,
    ...(result.kept > 0n ? [`${formatNumber(result.kept)} not in the backup and kept`] : []),
  ];
  const changed = result.created + result.replaced + result.deleted;
  const shown = BigInt(result.differences.length);
  if (changed + result.unchanged + result.kept === 0n)
    return "Nothing to restore: --prefix, --kind and --link match no document of the backup or the index. To list the documents of the backup: holdfast export PATH --prefix /";
  return [
    ...result.differences.map((difference) => differenceLine(difference, formatTime)),
    ...(shown > 0n && changed > shown ? [`... and ${formatNumber(changed - shown)} more`] : []),
    `${verb === "were" ? "Restored documents" : "Would restore documents"}: ${parts.join(", ")}.`,
  ].join("\n");
}
