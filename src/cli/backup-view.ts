import {
  SegmentKind,
  type BackupDescription,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Inspected } from "../offline/inspect.js";

/**
 * The displayed properties of a backup, whether its manifest was read locally or a host described
 * it.
 */
export type BackupView = Omit<Inspected["backup"], "container" | "number">;

/**
 * Converts the description from a host to the form of a locally read manifest. Times are
 * microseconds since 1970.
 */
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
    parents: message.parents.map((parent) => ({
      ...parent,
      positionMicros: Number(parent.positionMicros),
    })),
    ...(message.encrypted && { encryption: { recipients: message.recipients } }),
    segments: message.segments.map(({ compression: _compression, ...segment }) => ({
      ...segment,
      storedBytes: Number(segment.storedBytes),
      kind: segment.kind === SegmentKind.BASE ? ("base" as const) : ("delta" as const),
      sizeBytes: Number(segment.sizeBytes),
      firstMicros: Number(segment.firstMicros),
      lastMicros: Number(segment.lastMicros),
      records: Number(segment.records),
    })),
  };
}
