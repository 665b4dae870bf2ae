import { pathToFileURL } from "node:url";
import { runBackup } from "../backup/backup.js";
import { describeManifest, findManifest, listBackups, verifyBackup } from "../backup/inspect.js";
import type { Operations } from "../backup/operations.js";
import { pruneBackups } from "../backup/prune.js";
import { planRestore, runRestore, undoRestore, type RestoreTask } from "../backup/restore.js";
import type { ContainerReader, ContainerWriter } from "../container/container.js";
import { openDirectoryWriter } from "../container/directory.js";
import { openContainer } from "../container/open.js";
import { openZipWriter } from "../container/zip-writer.js";
import { filePathOf, schemeOf } from "../destination/file-uri.js";
import { requireParent } from "../destination/parent.js";
import { isWithin, resolveInRoots, type BackupRoots } from "../destination/roots.js";
import type { EngineKit } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { fromFileError } from "../io/file-error.js";
import type { Seams } from "../io/seams.js";
import type { DocumentIndex } from "../store/document-index.js";
import type { BackupRequest, HostDescription, ManagementService, RestoreRequest } from "./management-service.js";

export interface ManagementOptions {
  seams: Seams;
  kit: EngineKit;
  operations: Operations;
  /** INDEX_NOT_FOUND where there is none of that link. */
  indexOf(link: string): DocumentIndex;
  roots: BackupRoots;
  /** On the disk of the indexes. */
  temporaryDirectory: string;
  /** With its links resolved: no backup goes into it but below the directory for automatic ones. */
  dataDirectory: string;
  autoBackupDirectory: string;
  hostId: string;
  productVersion: string;
  describeHost(): Promise<HostDescription>;
}

export function createManagementService(options: ManagementOptions): ManagementService {
  const { seams, kit, operations, roots, temporaryDirectory } = options;
  const never = new AbortController().signal;

  /** The path of a file: destination, inside the roots. */
  async function pathOf(uri: string): Promise<string> {
    if (uri === "") throw new HostError("DESTINATION_INVALID", "A destination is required: file:/absolute/path.", { metadata: { field: "destination" } });
    const scheme = schemeOf(uri);
    if (scheme === "http" || scheme === "https") {
      throw new HostError("NOT_SUPPORTED", `${scheme}: destinations are not served by this version; write file:/absolute/path.`, { metadata: { field: "destination" } });
    }
    return resolveInRoots(seams.files, roots, filePathOf(uri));
  }

  async function openReader(uri: string): Promise<ContainerReader> {
    const path = await pathOf(uri);
    try {
      return await openContainer(seams, path);
    } catch (error) {
      throw fromFileError(error, `Reading the backup ${path}`);
    }
  }

  /** What can be said of a destination before any work is done there. */
  async function checkDestination(request: BackupRequest): Promise<string> {
    const path = await pathOf(request.destination);
    if (request.container === "STREAM") {
      throw new HostError("DESTINATION_INVALID", "A STREAM goes to an http or https destination: Missing host in URI.", { metadata: { field: "destination" } });
    }
    if (isWithin(path, options.dataDirectory) && !isWithin(path, options.autoBackupDirectory)) {
      throw new HostError("DESTINATION_OCCUPIED", `${path} lies in the data directory of this host, which must hold nothing but its indexes; back up to another place.`, { metadata: { path } });
    }
    const status = await seams.files.status(path);
    const wanted = request.container === "ZIP" ? "file" : "directory";
    if (status && status.kind !== wanted) {
      const words = request.container === "ZIP" ? "file for zip backup" : "directory for incremental backup";
      throw new HostError("DESTINATION_OCCUPIED", `destination ${path} must be a local ${words}.`, { metadata: { path } });
    }
    if (!status) await requireParent(seams.files, path);
    return path;
  }

  async function openWriter(request: BackupRequest, path: string, signal: AbortSignal): Promise<ContainerWriter> {
    return request.container === "DIRECTORY"
      ? openDirectoryWriter(seams, path, signal)
      : openZipWriter(seams, path, signal);
  }

  async function backup(request: BackupRequest, index: DocumentIndex, path: string, signal: AbortSignal, report: Parameters<typeof runBackup>[3]) {
    // A backup that would begin while the index is being replaced waits for the new one.
    report({ stage: "waiting" });
    await index.settled(signal);
    let writer: ContainerWriter | undefined;
    try {
      writer = await openWriter(request, path, signal);
      const task = { index, writer, hostId: options.hostId, productVersion: options.productVersion, full: request.full ?? false, store: request.store ?? false };
      const { manifest, ...run } = await runBackup(seams, task, signal, report);
      const kind = request.container === "DIRECTORY" ? "DIRECTORY" : "ZIP";
      return { ...run, backup: describeManifest({ kind, path }, manifest), verified: true };
    } catch (error) {
      throw fromFileError(error, `The backup to ${path}`);
    } finally {
      await writer?.close();
    }
  }

  function restoreTask(request: RestoreRequest, index: DocumentIndex, reader: ContainerReader): RestoreTask {
    return {
      index,
      reader,
      temporaryDirectory,
      lenientTargetTime: request.lenientTargetTime ?? false,
      allowOtherIndex: request.indexNamed ?? false,
      ...(request.manifest !== undefined && { manifestName: request.manifest }),
      ...(request.targetTimeMicros !== undefined && { targetTimeMicros: request.targetTimeMicros }),
    };
  }

  const validated = { bytesWritten: 0, segmentsWritten: 0, verified: false, warnings: ["Only validated: nothing was written."] };

  return {
    host: options.describeHost,
    async backup(request) {
      const index = options.indexOf(request.indexLink);
      const path = await checkDestination(request);
      const common = { kind: "backup" as const, indexLink: index.link, target: pathToFileURL(path).href };
      if (request.validateOnly) {
        const { positionMicros, window, documents, versions, indexId, lineage } = await index.state();
        const { hostId, productVersion } = options;
        const facts = { indexId, lineage, positionMicros, window, documents, versions, hostId, productVersion };
        const backup = { ...facts, name: "", manifestSha256: "", number: 0, uri: common.target, container: request.container, indexLink: index.link, createTimeMicros: 0, sizeBytes: 0, segments: [] };
        return operations.start({ ...common, run: async () => ({ ...validated, backup }) });
      }
      return operations.start({
        ...common,
        ...(request.requestId && { requestId: request.requestId }),
        run: (signal, report) => backup(request, index, path, signal, report),
      });
    },
    async restore(request) {
      const index = options.indexOf(request.indexLink);
      const path = await pathOf(request.source);
      return operations.start({
        kind: "restore",
        indexLink: index.link,
        target: pathToFileURL(path).href,
        ...(request.requestId && { requestId: request.requestId }),
        async run(signal, report) {
          const reader = await openReader(request.source);
          const task = restoreTask(request, index, reader);
          try {
            if (request.validateOnly) {
              const { manifest, target } = await planRestore(seams, task, signal);
              const { documents, versions, positionMicros, lineage } = manifest;
              const warnings = [validated.warnings[0] ?? "", ...(target.warning === undefined ? [] : [target.warning])];
              return { indexLink: index.link, lineage, documents, versions, positionMicros, warnings };
            }
            const { identity, ...run } = await runRestore(seams, kit, task, signal, report);
            return { ...run, indexLink: index.link, lineage: identity.lineage };
          } catch (error) {
            throw fromFileError(error, `The restore from ${path}`);
          } finally {
            await reader.close();
          }
        },
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
      const reader = await openReader(uri);
      const file = await findManifest(reader, manifestName, never);
      return operations.start({
        kind: "verify-backup",
        indexLink: file.manifest.indexLink,
        target: pathToFileURL(reader.path).href,
        async run(signal, report) {
          const described = describeManifest(reader, file);
          try {
            const records = await verifyBackup(seams, kit, reader, file.manifest, temporaryDirectory, signal, report);
            return { backup: described, records, bytes: described.sizeBytes };
          } catch (error) {
            throw fromFileError(error, `Verifying ${reader.path}`);
          } finally {
            await reader.close();
          }
        },
      });
    },
    async describeBackup(uri, manifestName) {
      const reader = await openReader(uri);
      return describeManifest(reader, await findManifest(reader, manifestName, never));
    },
    async listBackups(uri) {
      return listBackups(await openReader(uri), never);
    },
    async pruneBackups(uri, names, validateOnly = false) {
      const path = await pathOf(uri);
      try {
        return await pruneBackups(seams, path, names, validateOnly);
      } catch (error) {
        throw fromFileError(error, `Pruning ${path}`);
      }
    },
  };
}
