import { runBackup } from "../../backup/backup.js";
import { forecastBackup } from "../../backup/forecast.js";
import { describeManifest } from "../../backup/inspect.js";
import type { Report } from "../../backup/report.js";
import type { ContainerWriter } from "../../container/container.js";
import { fromFileError } from "../../io/file-error.js";
import { limits } from "../../limits.js";
import type { DocumentIndex } from "../../store/document-index.js";
import type { ManagementOptions } from "./management.js";
import type { BackupRequest, BackupResult, ManagementService } from "./management-service.js";
import type { BackupPlace } from "./places.js";

/** Only said, and nothing done. */
export const onlyValidated = "Only validated: nothing was written.";

export function createBackupStart(options: ManagementOptions): ManagementService["backup"] {
  const { platform, operations, placesOf, hostId, productVersion, written } = options;
  const isDamagedAt = (uri: string) => (manifestSha256: string) =>
    options.verifications.isDamaged({ uri, manifestSha256 });

  async function run(
    request: BackupRequest,
    index: DocumentIndex,
    place: BackupPlace,
    signal: AbortSignal,
    report: Report,
  ): Promise<BackupResult> {
    // A backup that would begin while the index is being replaced waits for the new one.
    report({ stage: "waiting" });
    await index.settled(signal);
    let writer: ContainerWriter | undefined;
    try {
      writer = await place.open(signal, report, await index.state());
      const task = {
        index,
        writer,
        hostId,
        productVersion,
        full: request.full ?? false,
        store: request.store ?? false,
        isDamaged: isDamagedAt(place.uri),
        destination: place.uri,
        written,
      };
      const { manifest, ...result } = await runBackup(platform, task, signal, report);
      return { ...result, backup: describeManifest(place, manifest) };
    } catch (error) {
      throw fromFileError(error, `The backup to ${place.uri}`);
    } finally {
      await writer?.close();
    }
  }

  async function validate(
    request: BackupRequest,
    index: DocumentIndex,
    place: BackupPlace,
    signal: AbortSignal,
  ): Promise<BackupResult> {
    const looked = await place.look?.();
    try {
      const task = {
        index,
        container: place.container,
        full: request.full ?? false,
        isDamaged: isDamagedAt(place.uri),
        written,
        ...looked,
      };
      const forecast = await forecastBackup(
        task,
        operations.list(limits.operations).operations,
        signal,
      );
      const { positionMicros, window, documents, versions, indexId, lineage, parents } =
        await index.state();
      const facts = {
        indexId,
        lineage,
        parents,
        positionMicros,
        window,
        documents,
        versions,
        hostId,
        productVersion,
      };
      const { uri, container } = place;
      const backup = {
        ...facts,
        name: "",
        manifestSha256: "",
        number: 0,
        uri,
        container,
        indexLink: index.link,
        createTimeMicros: 0,
        sizeBytes: 0,
        segments: [],
      };
      return {
        backup,
        bytesWritten: 0,
        segmentsWritten: 0,
        verified: false,
        warnings: [onlyValidated],
        forecast,
      };
    } finally {
      await looked?.reader?.close();
    }
  }

  return async (request) => {
    const index = options.indexOf(request.indexLink);
    const place = await placesOf(request.destination).destination(request);
    const common = { kind: "backup" as const, indexLink: index.link, target: place.target };
    if (request.validateOnly)
      return operations.start({
        ...common,
        run: (signal) => validate(request, index, place, signal),
      });
    return operations.start({
      ...common,
      ...(request.requestId && { requestId: request.requestId }),
      fingerprint: JSON.stringify([
        request.container,
        request.store ?? false,
        request.full ?? false,
        request.verify,
        request.since,
      ]),
      run: (signal, report) => run(request, index, place, signal, report),
    });
  };
}
