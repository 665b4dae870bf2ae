import type { Report } from "../../backup/report.js";
import type { ContainerReader } from "../../container/container.js";
import type { BackupDescription } from "./management-service.js";
import type { SourcePlace } from "./places.js";

/** Reads what is at a place, and lets go of it afterwards. */
export async function reading<T>(
  source: SourcePlace,
  signal: AbortSignal,
  report: Report,
  work: (reader: ContainerReader) => Promise<T>,
): Promise<T> {
  const reader = await source.open(signal, report);
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}

/** How a backup at a place is described. */
export function placeOf(
  source: SourcePlace,
  reader: ContainerReader,
): Pick<BackupDescription, "uri" | "container"> {
  return { uri: source.uri, container: source.container ?? reader.kind };
}
