import type { SelectionResult } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { formatNumber } from "../output/format.js";
import { differenceLine } from "../output/difference.js";

/** What became of the documents of a selection, or would. */
export function selectionText(result: SelectionResult, verb: "were" | "would be"): string {
  const parts = [
    `${formatNumber(result.created)} created`,
    `${formatNumber(result.replaced)} replaced`,
    `${formatNumber(result.deleted)} deleted`,
    `${formatNumber(result.unchanged)} the same already`,
    ...(result.left > 0n
      ? [`${formatNumber(result.left)} that the backup has not stay as they are`]
      : []),
  ];
  const changed = result.created + result.replaced + result.deleted;
  const shown = BigInt(result.differences.length);
  if (changed + result.unchanged + result.left === 0n)
    return "No document of the backup, and none of the index, is what --prefix, --kind and --link name: nothing to put back. See what the backup has: holdfast export PATH --prefix /";
  return [
    ...result.differences.map(differenceLine),
    ...(shown > 0n && changed > shown ? [`... and ${formatNumber(changed - shown)} more`] : []),
    `${verb === "were" ? "Put back" : "Would put back"}: ${parts.join(", ")}.`,
  ].join("\n");
}
