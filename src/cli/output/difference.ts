import {
  DocumentChange,
  type DocumentDifference,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { formatTime } from "../time.js";
import { printable } from "./printable.js";

const marks: Record<DocumentChange, string> = {
  [DocumentChange.UNSPECIFIED]: "?",
  [DocumentChange.CREATED]: "+",
  [DocumentChange.CHANGED]: "~",
  [DocumentChange.DELETED]: "-",
};

/** One document that differs: + only in the second state, - only in the first, ~ in both. */
export function differenceLine(one: DocumentDifference): string {
  const side = (version: bigint | undefined, time: bigint | undefined) =>
    version === undefined
      ? "none"
      : `version ${version} of ${time === undefined ? "an unknown time" : formatTime(time)}`;
  return `${marks[one.change]} ${printable(one.selfLink)}  ${side(one.fromVersion, one.fromUpdateTimeMicros)} -> ${side(one.toVersion, one.toUpdateTimeMicros)}`;
}
