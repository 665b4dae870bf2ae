import {
  SegmentKind,
  type BackupDescription,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Inspected } from "../offline/inspect.js";

/** What is shown of a backup, as it was read here or as a host answered it. */
export type BackupView = Omit<Inspected["backup"], "container" | "number">;

/** What a host answered, as it would have been read here. */
export function toBackupView(message: BackupDescription): BackupView {
  return {
    ...message,
    createTimeMicros: Number(message.createTimeMicros),
    positionMicros: Number(message.positionMicros),
    window: {
      earliestMicros: Number(message.window?.earliestMicros ?? 0n),
      latestMicros: Number(message.window?.latestMicros ?? 0n),
      historyStartMicros: Number(message.window?.historyStartMicros ?? 0n),
      ...(message.window?.boundingLink && { boundingLink: message.window.boundingLink }),
    },
    documents: Number(message.documents),
    versions: Number(message.versions),
    sizeBytes: Number(message.sizeBytes),
    parents: message.parents.map((one) => ({ ...one, positionMicros: Number(one.positionMicros) })),
    segments: message.segments.map((one) => ({
      ...one,
      kind: one.kind === SegmentKind.BASE ? ("base" as const) : ("delta" as const),
      sizeBytes: Number(one.sizeBytes),
      firstMicros: Number(one.firstMicros),
      lastMicros: Number(one.lastMicros),
      records: Number(one.records),
    })),
  };
}
