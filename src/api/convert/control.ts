import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  AutoBackupState,
  AutoBackupSchema,
  CallerSchema,
  type Caller,
  type AutoBackup,
  type StatSchema,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Grant } from "../../security/access.js";
import type { AutoBackupStatus } from "../../backup/schedule/status.js";
import type { Stat } from "../../stats/stats.js";
import { toInt64 } from "./numbers.js";

/** Converts the status of automatic backups. */
export function toAutoBackup(status: AutoBackupStatus): AutoBackup {
  return create(AutoBackupSchema, {
    enabled: status.enabled,
    destination: status.destination,
    indexLink: status.indexLink,
    state: AutoBackupState[status.state],
    failuresInARow: status.failuresInARow,
    warnings: status.warnings,
    lastSuccessMicros: toInt64(status.lastSuccessMicros ?? 0),
    lastFailureMicros: toInt64(status.lastFailureMicros ?? 0),
    lastError: status.lastError?.message ?? "",
    positionMicros: toInt64(status.positionMicros ?? 0),
    files: status.files ?? 0,
    otherBackups: status.otherBackups ?? 0,
  });
}

/** Converts what a caller may do. */
export const toCaller = ({ tokenName, roles, indexes = new Set() }: Grant): Caller =>
  create(CallerSchema, { tokenName, roles: [...roles], indexLinks: [...indexes] });

/** Converts a statistic. */
export function toStat({
  series,
  lastUpdateMicros,
  version,
  unit = "",
  ...same
}: Stat): MessageInitShape<typeof StatSchema> {
  return {
    ...same,
    unit,
    version: toInt64(version),
    lastUpdateMicros: toInt64(lastUpdateMicros),
    ...(series && {
      series: {
        binDurationMillis: toInt64(series.binDurationMillis),
        numBins: series.numBins,
        bins: [...series.bins].map(([startMillis, { count, ...bin }]) => ({
          startMillis: toInt64(startMillis),
          count: toInt64(count),
          ...bin,
        })),
      },
    }),
  };
}
