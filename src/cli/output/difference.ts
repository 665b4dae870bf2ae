import {
  DocumentChange,
  type DocumentDifference,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { printable } from "./printable.js";

const marks: Record<DocumentChange, string> = {
  [DocumentChange.UNSPECIFIED]: "?",
  [DocumentChange.CREATED]: "+",
  [DocumentChange.CHANGED]: "~",
  [DocumentChange.DELETED]: "-",
};

/**
 * Formats a document that differs as one line, which starts with + if it is only in the second
 * state, - if only in the first, ~ if in both.
 */
export function differenceLine(
  difference: DocumentDifference,
  formatTime: (micros: bigint) => string,
): string {
  const side = (version: bigint | undefined, time: bigint | undefined) =>
    version === undefined
      ? "none"
      : `version ${version} of ${time === undefined ? "an unknown time" : formatTime(time)}`;
  const from = side(difference.fromVersion, difference.fromUpdateTimeMicros);
  const to = side(difference.toVersion, difference.toUpdateTimeMicros);
  return `${marks[difference.change]} ${printable(difference.selfLink)}  ${from} -> ${to}`;
}
