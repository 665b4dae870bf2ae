import type { SelectionResult } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { count, number } from "../output/figures.js";
import { differenceLine } from "../output/difference.js";

/** What became of the documents of a selection, or would. */
export function selectionText(result: SelectionResult, verb: "were" | "would be"): string {
  const parts = [
    `${count(result.created, "document")} ${verb} created`,
    `${number(result.replaced)} replaced`,
    `${number(result.deleted)} deleted`,
    `${number(result.unchanged)} are the same`,
    ...(result.left > 0n ? [`${number(result.left)} that the backup has not stay`] : []),
  ];
  const changed = result.created + result.replaced + result.deleted;
  const shown = BigInt(result.differences.length);
  return [
    ...result.differences.map(differenceLine),
    ...(shown > 0n && changed > shown ? [`... and ${number(changed - shown)} more`] : []),
    `${parts.join(", ")}.`,
  ].join("\n");
}
