import { HostError } from "../../src/errors.js";
import type { BackupRequest } from "../../src/backup/backup-request.js";
import type { ManagementService } from "../../src/service/backups/management-service.js";
import type { OperationService, OperationView } from "../../src/operation/operation.js";
import type { RestoreRequest } from "../../src/backup/restore-request.js";

/** A fake management service that records requests; operations finish at once or when the test says so. */
export interface FakeManagement {
  management: ManagementService;
  operations: OperationService;
  backups: BackupRequest[];
  restores: RestoreRequest[];
  /** While set, operations start and run until finish() is called. */
  hold: boolean;
  finish(error?: HostError): void;
  /** The next operation fails with this error. */
  failWith: HostError | undefined;
}

export function createFakeManagement(): FakeManagement {
  const views = new Map<string, OperationView>();
  const waiters = new Set<() => void>();
  const noStream = async function* (): AsyncGenerator<never> {};
  const unused = () => Promise.reject(new HostError("NOT_SUPPORTED", "not in this fake"));

  function begin(
    kind: "backup" | "restore",
    indexLink: string,
    target: string,
  ): Promise<OperationView> {
    const name = `operations/${views.size + 1}`;
    const view: OperationView = {
      name,
      kind,
      indexLink,
      target,
      startTimeMicros: 1,
      done: !fake.hold,
      progress: {
        stage: "exporting",
        bytesDone: 0,
        bytesTotal: 0,
        documentsDone: 0,
        documentsTotal: 0,
        warnings: [],
      },
      ...(!fake.hold && fake.failWith && { error: fake.failWith }),
    };
    views.set(name, view);
    return Promise.resolve(view);
  }

  const get = (name: string): OperationView => {
    const view = views.get(name);
    if (view === undefined) throw new HostError("OPERATION_NOT_FOUND", name);
    return view;
  };

  const fake: FakeManagement = {
    backups: [],
    restores: [],
    hold: false,
    failWith: undefined,
    finish(error) {
      for (const [name, view] of views)
        views.set(name, { ...view, done: true, ...(error && { error }) });
      for (const wake of waiters) wake();
      waiters.clear();
    },
    management: {
      host: () =>
        Promise.resolve({
          id: "host-1",
          version: "0.1.0",
          startTimeMicros: 1_795_348_034_000_000,
          dataDirectory: "/data/of holdfast",
          backupRoots: ["/backups"],
          factories: [],
          opened: [],
          signingKey: "ssh-ed25519 AAAA host-1",
          signingKeyFingerprint: "SHA256:abc",
          trustsSignersOnly: false,
          autoBackupDestination: "file:///data/of%20holdfast/auto-backup",
          disk: { freeBytes: 5_000_000_000, totalBytes: 9_000_000_000 },
          httpAddress: "127.0.0.1:8000",
          grpcAddress: "127.0.0.1:8001",
          tls: false,
          indexes: [
            {
              link: "/core/document-index",
              inMemory: false,
              indexId: "index-1",
              lineage: "lineage-1",
              parents: [],
              formatVersion: 1,
              positionMicros: 1_795_348_034_673_000,
              documents: 2,
              versions: 5,
              sizeBytes: 4096,
              window: { earliestMicros: 1, latestMicros: 2, historyStartMicros: 1 },
            },
          ],
          backups: [],
          backupHealth: { healthy: true, problem: "" },
          backupMaxAgeMicros: 0,
          engine: { name: "sqlite" as const },
        }),
      backup(request) {
        fake.backups.push(request);
        return begin("backup", request.indexLink, request.destination);
      },
      restore(request) {
        fake.restores.push(request);
        return begin("restore", request.indexLink, request.source);
      },
      undoRestore: unused,
      checkDestination: unused,
      checkIndex: unused,
      verifyBackup: unused,
      describeBackup: unused,
      listBackups: unused,
      checkDigests: unused,
      inspection: { diff: noStream, export: noStream, around: unused },
      pruneBackups: unused,
      copyBackup: unused,
      openBackup: unused,
      closeBackup: unused,
      pinBackup: unused,
      unpinBackup: unused,
    },
    operations: {
      get,
      list: () => ({ operations: [...views.values()] }),
      async wait(name, _timeoutMs, signal) {
        if (!get(name).done) {
          await new Promise<void>((resolve) => {
            waiters.add(resolve);
            signal?.addEventListener("abort", () => resolve());
          });
        }
        return get(name);
      },
      delete: async () => {},
      cancel: () => Promise.resolve(),
    },
  };
  return fake;
}
