import type { OperationView } from "../operation/operation.js";
import { openSqlite } from "../engine/registry.js";
import { HostError } from "../errors.js";
import { DataDirectory } from "../host/data-directory.js";
import { lockDirectory } from "../io/directory-lock.js";
import { fromFileError } from "../io/file-error.js";
import type { Platform } from "../io/platform.js";
import { limits } from "../limits.js";
import { durableIndexLink } from "../service/documents/factories.js";
import { DocumentIndex } from "../store/document-index.js";

/** The index of a data directory that no host has written to. */
export interface EmptyIndex {
  readonly dataDirectory: string;
  readonly temporaryDirectory: string;
  /** Returns the index with this link. Throws INDEX_NOT_FOUND for any but the durable one. */
  of(link: string): DocumentIndex;
  /** Reports a completed operation. `close` removes a directory that was created for a restore that failed. */
  settled(view: OperationView): void;
  close(): Promise<void>;
}

/** Ignored names: leftovers of an interrupted run, and lost+found. */
const ignoredNames = ({ lockName, indexName, temporaryName }: DataDirectory) => [
  lockName,
  `${lockName}-journal`,
  indexName,
  temporaryName,
  "lost+found",
];

/** Opens an empty index. Throws DESTINATION_OCCUPIED if the directory is not empty, so that no data is lost. */
export async function openEmptyIndex(platform: Platform, path: string): Promise<EmptyIndex> {
  const { files } = platform;
  const directory = new DataDirectory(path);
  const dataDirectory = directory.path;
  const occupied = (why: string) =>
    new HostError(
      "DESTINATION_OCCUPIED",
      `${dataDirectory} ${why}; nothing was changed. Name a directory that is empty or missing, or start a host on this one and restore there: holdfast restore SOURCE --address HOST:PORT.`,
    );
  const status = await files.status(dataDirectory);
  if (status && status.kind !== "directory") throw occupied("is no directory");
  const foreign = status
    ? (await files.list(dataDirectory)).filter((name) => !ignoredNames(directory).includes(name))
    : [];
  if (foreign.length > 0) throw occupied(`is not empty: it contains ${foreign[0]}`);
  const made = status === undefined;
  try {
    if (made) await files.makeDirectory(dataDirectory);
  } catch (error) {
    throw fromFileError(error, `Making the data directory ${dataDirectory}`);
  }
  const lock = lockDirectory(directory.lock);
  let index: DocumentIndex | undefined;
  let filled = false;
  const close = async () => {
    await index?.close();
    lock.release();
    if (made && !filled) await files.removeTree(dataDirectory);
  };
  try {
    const temporaryDirectory = directory.temporary;
    await files.removeTree(temporaryDirectory);
    await files.makeDirectory(temporaryDirectory);
    const engine = openSqlite({ platform, directoryOf: () => directory.index });
    const opened = await DocumentIndex.open(platform, engine, {
      link: durableIndexLink,
      inMemory: false,
      durable: true,
      nowMicros: platform.nowMicros,
      retainedVersions: limits.retainedVersions,
      historyMicros: limits.historyMs * 1000,
      onBackgroundError: () => {},
    });
    index = opened;
    if ((await opened.state()).positionMicros > 0) {
      filled = true;
      throw occupied("contains an index with documents");
    }
    return {
      dataDirectory,
      temporaryDirectory,
      of(link) {
        if (link === durableIndexLink) return opened;
        throw new HostError(
          "INDEX_NOT_FOUND",
          `Only ${durableIndexLink} outlives a host, so only it can be restored into a data directory.`,
          { metadata: { link } },
        );
      },
      settled: ({ error, result }) =>
        void (filled ||=
          error === undefined &&
          result !== undefined &&
          "lineage" in result &&
          !("plan" in result)),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
