import type { Report } from "../../backup/progress.js";
import type { ContainerReader } from "../../container/container.js";
import type { BackupSource } from "../../container/resolve.js";

/** Opens a source, reporting how much of it was downloaded where it has to be. */
export function openSource(
  source: BackupSource,
  signal: AbortSignal,
  report: Report = () => {},
): Promise<ContainerReader> {
  const onFetchedBytes = (bytesDone: number, bytesTotal: number) =>
    report({ stage: "downloading", bytesDone, bytesTotal });
  return source.open({ onFetchedBytes }, signal);
}

/** Runs work on a source, and closes it afterwards. */
export async function withSource<T>(
  source: BackupSource,
  signal: AbortSignal,
  report: Report,
  work: (reader: ContainerReader) => Promise<T>,
): Promise<T> {
  const reader = await openSource(source, signal, report);
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}
