import { runBackup } from "../backup/backup.js";
import { describeManifest, findManifest, listBackups, verifyBackup } from "../backup/inspect.js";
import type { Operations } from "../backup/operations.js";
import { pruneBackups } from "../backup/prune.js";
import type { Report } from "../backup/report.js";
import { planRestore, runRestore, undoRestore, type RestoreTask } from "../backup/restore.js";
import type { ContainerReader, ContainerWriter } from "../container/container.js";
import { joinReaders } from "../container/joined-reader.js";
import type { EngineKit } from "../engine/engine.js";
import { fromFileError } from "../io/file-error.js";
import type { Seams } from "../io/seams.js";
import type { DocumentIndex } from "../store/document-index.js";
import type { FilePlaces } from "./file-places.js";
import type { BackupRequest, HostDescription, ManagementService, RestoreRequest } from "./management-service.js";
import type { BackupPlace, PlacesOf, SourcePlace } from "./places.js";

export interface ManagementOptions {
  seams: Seams;
  kit: EngineKit;
  operations: Operations;
  /** INDEX_NOT_FOUND where there is none of that link. */
  indexOf(link: string): DocumentIndex;
  placesOf: PlacesOf;
  files: FilePlaces;
  /** On the disk of the indexes. */
  temporaryDirectory: string;
  hostId: string;
  productVersion: string;
  describeHost(): Promise<HostDescription>;
  /** Keeps automatic backups from changing their directory, which may be what is restored from; resolves to what lets them go on. */
  pauseAutoBackup(): Promise<() => void>;
}

export function createManagementService(options: ManagementOptions): ManagementService {
  const { seams, kit, operations, placesOf, temporaryDirectory } = options;
  const never = new AbortController().signal;
  const unheard: Report = () => {};

  async function backup(request: BackupRequest, index: DocumentIndex, place: BackupPlace, signal: AbortSignal, report: Report) {
    // A backup that would begin while the index is being replaced waits for the new one.
    report({ stage: "waiting" });
    await index.settled(signal);
    let writer: ContainerWriter | undefined;
    try {
      writer = await place.open(signal, report, (await index.state()).sizeBytes);
      const task = { index, writer, hostId: options.hostId, productVersion: options.productVersion, full: request.full ?? false, store: request.store ?? false };
      const { manifest, ...run } = await runBackup(seams, task, signal, report);
      return { ...run, backup: describeManifest(place, manifest) };
    } catch (error) {
      throw fromFileError(error, `The backup to ${place.uri}`);
    } finally {
      await writer?.close();
    }
  }

  /** Reads what is at a place, and lets go of it afterwards. */
  async function reading<T>(source: SourcePlace, signal: AbortSignal, report: Report, work: (reader: ContainerReader) => Promise<T>): Promise<T> {
    const reader = await source.open(signal, report);
    try {
      return await work(reader);
    } finally {
      await reader.close();
    }
  }

  /** The places of a restore, opened: the backup itself and the archives that it builds on. */
  async function openSources(sources: readonly SourcePlace[], signal: AbortSignal, report: Report): Promise<ContainerReader> {
    const opened: ContainerReader[] = [];
    try {
      for (const source of sources) opened.push(await source.open(signal, report));
    } catch (error) {
      for (const reader of opened) await reader.close();
      throw error;
    }
    const [first, ...others] = opened;
    if (!first) throw new TypeError("a restore without a source");
    return others.length === 0 ? first : joinReaders(first, others);
  }

  const placeOf = (source: SourcePlace, reader: ContainerReader) => ({ uri: source.uri, container: source.container ?? reader.kind });

  function restoreTask(request: RestoreRequest, index: DocumentIndex, reader: ContainerReader): RestoreTask {
    return {
      index,
      reader,
      temporaryDirectory,
      lenientTargetTime: request.lenientTargetTime ?? false,
      allowOtherIndex: request.indexNamed ?? false,
      ...(request.ifPositionMicros !== undefined && { ifPositionMicros: request.ifPositionMicros }),
      ...(request.manifest !== undefined && { manifestName: request.manifest }),
      ...(request.targetTimeMicros !== undefined && { targetTimeMicros: request.targetTimeMicros }),
    };
  }

  async function undisturbed<T>(work: () => Promise<T>): Promise<T> {
    const resume = await options.pauseAutoBackup();
    try {
      return await work();
    } finally {
      resume();
    }
  }

  const validated = { bytesWritten: 0, segmentsWritten: 0, verified: false, warnings: ["Only validated: nothing was written."] };

  return {
    host: options.describeHost,
    async backup(request) {
      const index = options.indexOf(request.indexLink);
      const place = await placesOf(request.destination).destination(request);
      const common = { kind: "backup" as const, indexLink: index.link, target: place.target };
      if (request.validateOnly) {
        const { positionMicros, window, documents, versions, indexId, lineage } = await index.state();
        const { hostId, productVersion } = options;
        const facts = { indexId, lineage, positionMicros, window, documents, versions, hostId, productVersion };
        const { target: uri, container } = place;
        const backup = { ...facts, name: "", manifestSha256: "", number: 0, uri, container, indexLink: index.link, createTimeMicros: 0, sizeBytes: 0, segments: [] };
        return operations.start({ ...common, run: async () => ({ ...validated, backup }) });
      }
      return operations.start({
        ...common,
        ...(request.requestId && { requestId: request.requestId }),
        fingerprint: JSON.stringify([request.container, request.store ?? false, request.full ?? false, request.verify, request.since]),
        run: (signal, report) => backup(request, index, place, signal, report),
      });
    },
    async restore(request) {
      const index = options.indexOf(request.indexLink);
      const source = await placesOf(request.source).source(request.source, request.bearer);
      const bearerFor = (uri: string) => (originOf(uri) === originOf(request.source) ? request.bearer : undefined);
      const bases = await Promise.all((request.baseSources ?? []).map((uri) => placesOf(uri).source(uri, bearerFor(uri))));
      const joined: SourcePlace = { uri: source.uri, open: (signal, report) => openSources([source, ...bases], signal, report) };
      return operations.start({
        kind: "restore",
        indexLink: index.link,
        target: source.uri,
        ...(request.requestId && { requestId: request.requestId }),
        fingerprint: JSON.stringify([String(request.targetTimeMicros), request.manifest, request.validateOnly ?? false, request.baseSources, request.ifPositionMicros]),
        run: (signal, report) =>
          undisturbed(() => reading(joined, signal, report, async (reader) => {
            const task = restoreTask(request, index, reader);
            try {
              if (request.validateOnly) {
                const { manifest, target } = await planRestore(seams, task, signal);
                await verifyBackup(seams, kit, reader, manifest, temporaryDirectory, signal, report);
                const { documents, versions, positionMicros, lineage } = manifest;
                const warnings = [validated.warnings[0] ?? "", ...(target.warning === undefined ? [] : [target.warning])];
                return { indexLink: index.link, lineage, documents, versions, positionMicros, warnings };
              }
              const { identity, ...run } = await runRestore(seams, kit, task, signal, report);
              return { ...run, indexLink: index.link, lineage: identity.lineage };
            } catch (error) {
              throw fromFileError(error, `The restore from ${source.uri}`);
            }
          })),
      });
    },
    async undoRestore(indexLink) {
      const index = options.indexOf(indexLink);
      return operations.start({
        kind: "undo-restore",
        indexLink,
        target: indexLink,
        async run() {
          const { lineage } = await undoRestore(seams, index);
          const { documents, versions, positionMicros } = await index.state();
          return { indexLink, lineage, documents, versions, positionMicros, warnings: [] };
        },
      });
    },
    async verifyBackup(uri, manifestName) {
      const source = await placesOf(uri).source(uri);
      // Its index is what the operation is of, so the manifest is read before it begins; what was opened for that is read on.
      const reader = await source.open(never, unheard);
      try {
        const file = await findManifest(reader, manifestName, never);
        return await operations.start({
          kind: "verify-backup",
          indexLink: file.manifest.indexLink,
          target: source.uri,
          async run(signal, report) {
            const described = describeManifest(placeOf(source, reader), file);
            try {
              const records = await verifyBackup(seams, kit, reader, file.manifest, temporaryDirectory, signal, report);
              return { backup: described, records, bytes: described.sizeBytes };
            } catch (error) {
              throw fromFileError(error, `Verifying ${source.uri}`);
            } finally {
              await reader.close();
            }
          },
        });
      } catch (error) {
        await reader.close();
        throw error;
      }
    },
    async describeBackup(uri, manifestName) {
      const source = await placesOf(uri).source(uri);
      return reading(source, never, unheard, async (reader) => describeManifest(placeOf(source, reader), await findManifest(reader, manifestName, never)));
    },
    async listBackups(uri) {
      const source = await placesOf(uri).source(uri);
      return reading(source, never, unheard, (reader) => listBackups(reader, placeOf(source, reader), never));
    },
    async pruneBackups(uri, names, validateOnly = false) {
      const path = await options.files.pathOf(uri);
      try {
        return await pruneBackups(seams, path, names, validateOnly);
      } catch (error) {
        throw fromFileError(error, `Pruning ${path}`);
      }
    },
  };
}

/** A token is for one origin and goes to no other. */
const originOf = (uri: string) => /^[a-z]+:\/\/[^/?#]*/i.exec(uri)?.[0].toLowerCase();
