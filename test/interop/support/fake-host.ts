import { noPolicies } from "../../support/fake-policies.js";
import { createFakeControl } from "../../support/fake-control.js";
import type { StreamService } from "../../../src/service/backups/streams.js";
import { HostError } from "../../../src/errors.js";
import type { DocumentVersion } from "../../../src/document/document.js";
import type {
  DocumentService,
  WriteOptions,
} from "../../../src/service/documents/document-service.js";
import type { BackupDescription } from "../../../src/segment/description.js";
import type { BackupRequest } from "../../../src/backup/backup-request.js";
import type { ManagementService } from "../../../src/service/backups/management-service.js";
import type { OperationService, OperationView } from "../../../src/operation/operation.js";
import type { RestoreRequest } from "../../../src/backup/restore-request.js";

/**
 * A host of a few maps: it serves the transports without an index or a disk, and records
 * their calls.
 */
export function fakeHost() {
  const asked: { backup: BackupRequest[]; restore: RestoreRequest[] } = { backup: [], restore: [] };
  const operations = new Map<string, OperationView>();
  return {
    documents: fakeDocuments(),
    management: fakeManagement(asked, operations),
    operations: fakeOperations(operations),
    streams: { idleMs: 60_000 } as StreamService,
    control: createFakeControl(),
    policies: noPolicies,
    nowMicros: () => 2_000_000,
    asked,
  };
}

function fakeDocuments(): DocumentService {
  const log = new Map<string, DocumentVersion[]>();
  let time = 1_700_000_000_000_000;
  const latest = (link: string) => {
    const version = log.get(link)?.at(-1);
    if (!version)
      throw new HostError("DOCUMENT_NOT_FOUND", `There is no ${link}.`, { metadata: { link } });
    return version;
  };
  const append = (
    link: string,
    action: DocumentVersion["action"],
    body: string,
    options: WriteOptions = {},
  ) => {
    const versions = log.get(link) ?? [];
    const version = versions.length;
    if (options.expectedVersion !== undefined && options.expectedVersion !== version - 1) {
      throw new HostError(
        "VERSION_MISMATCH",
        `${link} is at version ${version - 1}, not ${options.expectedVersion}.`,
      );
    }
    const written: DocumentVersion = {
      link,
      version,
      updateTimeMicros: ++time,
      action,
      kind: "k",
      owner: "host",
      expirationTimeMicros: 0,
      body,
    };
    log.set(link, [...versions, written]);
    return written;
  };
  const fake: Partial<DocumentService> = {
    factoryOf: () => undefined,
    factoryOfDocument: () => undefined,
    create: async (factory, body, { given: { documentSelfLink: given } = {} } = {}) => {
      const [, own] = /"documentSelfLink":"([^"]*)"/.exec(body) ?? [];
      if (own !== undefined && given !== undefined)
        throw new HostError(
          "REQUEST_INVALID",
          "documentSelfLink is given both in the body and in the request; give it only once.",
        );
      const link = `${factory}/${given ?? own ?? "made-up"}`;
      if (log.has(link)) throw new HostError("DOCUMENT_EXISTS", `${link} is taken.`);
      return append(link, "POST", body);
    },
    get: async (link) => latest(link),
    getVersion: async (_index, link, version) => {
      const found = version === undefined ? latest(link) : log.get(link)?.[version];
      if (!found)
        throw new HostError("VERSION_NOT_FOUND", `Version ${version} of ${link} not found.`);
      return found;
    },
    listVersions: async (link, limit, before = Infinity) =>
      (log.get(link) ?? [])
        .filter(({ version }) => version < before)
        .toReversed()
        .slice(0, limit),
    patch: async (link, body, options) => append(latest(link).link, "PATCH", body, options),
    replace: async (link, body, options) => append(latest(link).link, "PUT", body, options),
    delete: async (link, options) =>
      latest(link).action === "DELETE"
        ? undefined
        : append(link, "DELETE", latest(link).body, options),
    list: async ({ factoryPath, limit = 10, expand, filter }) => {
      if (filter === "secret") throw new Error("the password is hunter2");
      const found = [...log.values()]
        .flatMap((versions) => versions.slice(-1))
        .filter(({ link }) => link.startsWith(factoryPath));
      return {
        documents: found
          .slice(0, limit)
          .map((version) => (expand ? version : { ...version, body: "" })),
      };
    },
  };
  return fake as DocumentService;
}

const fakeBackup: BackupDescription = {
  name: "manifest-0000000001-0123456789abcdef.json",
  manifestSha256: "0123456789abcdef".repeat(4),
  number: 1,
  uri: "file:/backups",
  container: "DIRECTORY",
  indexId: "index",
  indexLink: "/core/document-index",
  lineage: "lineage",
  parents: [],
  hostId: "host",
  productVersion: "0.1.0",
  createTimeMicros: 9_007_199_254_740_991,
  positionMicros: 1_700_000_000_000_001,
  window: { earliestMicros: 1, latestMicros: 1_700_000_000_000_002, historyStartMicros: 1 },
  documents: 2,
  versions: 3,
  sizeBytes: 4096,
  segments: [
    {
      name: "base",
      kind: "base",
      sizeBytes: 4096,
      sha256: "00",
      firstMicros: 0,
      lastMicros: 5,
      records: 3,
    },
  ],
};

function fakeManagement(
  asked: { backup: BackupRequest[]; restore: RestoreRequest[] },
  operations: Map<string, OperationView>,
): ManagementService {
  const begin = (view: Partial<OperationView>): OperationView => {
    const made: OperationView = {
      name: `operations/${operations.size + 1}`,
      kind: "backup",
      indexLink: "/core/document-index",
      target: "file:/backups",
      startTimeMicros: 1_000_000,
      progress: {
        stage: "exporting",
        bytesDone: 50,
        bytesTotal: 100,
        documentsDone: 1,
        documentsTotal: 2,
        warnings: [],
      },
      done: false,
      ...view,
    };
    operations.set(made.name, made);
    return made;
  };
  const fake: Partial<ManagementService> = {
    host: async () => ({
      id: "host",
      version: "0.1.0",
      startTimeMicros: 1,
      dataDirectory: "data",
      backupRoots: [],
      factories: [],
      opened: [],
      signingKey: "ssh-ed25519 AAAA host-1",
      signingKeyFingerprint: "SHA256:abc",
      trustsSignersOnly: false,
      autoBackupDestination: "file:///auto",
      disk: { freeBytes: 5_000_000_000, totalBytes: 9_000_000_000 },
      httpAddress: "127.0.0.1:8000",
      grpcAddress: "127.0.0.1:8001",
      tls: false,
      indexes: [
        {
          link: "/core/document-index",
          inMemory: false,
          indexId: "index",
          lineage: "lineage",
          parents: [],
          formatVersion: 1,
          positionMicros: 0,
          documents: 0,
          versions: 0,
          sizeBytes: 0,
          window: fakeBackup.window,
        },
      ],
      backups: [],
      backupHealth: { healthy: true, problem: "" },
      backupMaxAgeMicros: 0,
      engine: { name: "sqlite" as const },
    }),
    backup: async (request) => {
      asked.backup.push(request);
      return begin({
        done: true,
        endTimeMicros: 2_000_000,
        result: {
          backup: fakeBackup,
          bytesWritten: 4096,
          segmentsWritten: 1,
          verified: true,
          warnings: [],
        },
      });
    },
    restore: async (request) => {
      asked.restore.push(request);
      const error = new HostError("TARGET_TIME_OUT_OF_RANGE", "The window is 1 to 2.", {
        metadata: { earliestMicros: "1" },
      });
      return begin({ kind: "restore", done: true, endTimeMicros: 2_000_000, error });
    },
    checkIndex: async (indexLink) => begin({ kind: "check-index", indexLink }),
    verifyBackup: async () => begin({ kind: "verify-backup" }),
    describeBackup: async () => fakeBackup,
    listBackups: async () =>
      [1, 2, 3].map((number) =>
        number === 2
          ? { name: "m2", uri: "file:/b", state: "DAMAGED", problem: "no base" }
          : { name: `m${number}`, uri: "file:/b", state: "COMPLETE", backup: fakeBackup },
      ),
    pruneBackups: async (_uri, names) => ({
      removedBackups: names,
      removedFiles: [],
      lockedFiles: [],
      pinnedBackups: [],
      freedBytes: 7,
    }),
  };
  return fake as ManagementService;
}

function fakeOperations(operations: Map<string, OperationView>): OperationService {
  const get = (name: string) => {
    const view = operations.get(name);
    if (!view) throw new HostError("OPERATION_NOT_FOUND", `There is no ${name}.`);
    return view;
  };
  return {
    get,
    list: () => ({ operations: [...operations.values()] }),
    wait: async (name, timeoutMs, signal) => {
      if (!get(name).done) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, timeoutMs);
          signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()));
        });
      }
      return get(name);
    },
    delete: async () => {},
    cancel: async (name) => {
      operations.set(name, {
        ...get(name),
        done: true,
        error: new HostError("OPERATION_CANCELLED", "It was cancelled."),
      });
    },
  };
}
