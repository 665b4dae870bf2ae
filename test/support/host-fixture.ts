import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createHost, type Host } from "../../src/host/start.js";
import type { HostOptions } from "../../src/host/options.js";
import { systemPlatform, type Platform } from "../../src/io/platform.js";
import type { BackupRequest, BackupResult } from "../../src/backup/backup-request.js";
import type { OperationView } from "../../src/operation/operation.js";
import type { RestoreRequest, RestoreResult } from "../../src/backup/restore-request.js";
import { beforeRemoval, temporaryDirectory } from "./temporary-directory.js";

const running = new Set<Host>();
afterEach(async () => {
  for (const host of running) await host.close();
  running.clear();
});

const kind = "test:kind";
export const factoryPath = "/things";

export interface HostFixture {
  root: string;
  host: Host;
  /** The result or the error of an operation. */
  finish<T>(started: Promise<OperationView>): Promise<T>;
  backup(destination: string, more?: Partial<BackupRequest>): Promise<BackupResult>;
  restore(source: string, more?: Partial<RestoreRequest>): Promise<RestoreResult>;
  put(name: string, body: object): Promise<number>;
  /** Live documents by the last part of their links. */
  contents(): Promise<Record<string, string>>;
  restart(more?: Partial<HostOptions>): Promise<void>;
  stop(): Promise<void>;
  uri(name: string): string;
}

/**
 * A real host on free ports, in its own directory, with a factory /things of plain documents. It is closed after the test,
 * or after the last test of the file if the tests share it.
 */
export async function hostFixture(
  more: Partial<HostOptions> = {},
  root = temporaryDirectory(),
  shared = false,
): Promise<HostFixture> {
  const dataDirectory = join(root, "data");
  const indexLink = "/core/document-index";
  const start = async (changed: Partial<HostOptions> = {}) => {
    const host = await createHost({
      dataDirectory,
      httpPort: 0,
      grpcPort: 0,
      factories: [
        { path: factoryPath, kind, indexLink },
        { path: "/memory-things", kind, indexLink: "/core/in-memory-document-index" },
      ],
      ...more,
      ...changed,
    });
    if (!shared) running.add(host);
    return host;
  };
  if (!existsSync(root)) mkdirSync(root);
  let host = await start();
  if (shared) beforeRemoval(() => host.close());
  const uri = (name: string) => pathToFileURL(join(root, name)).href;
  const finish = async <T>(started: Promise<OperationView>): Promise<T> => {
    const view = await host.operations.wait((await started).name, 60_000);
    if (view.error) throw view.error;
    if (!view.done) throw new Error(`${view.name} is not done`);
    return view.result as T;
  };
  return {
    root,
    get host() {
      return host;
    },
    finish,
    uri,
    backup: (destination, request = {}) =>
      finish(
        host.management.backup({
          destination: uri(destination),
          container: "DIRECTORY",
          indexLink,
          ...request,
        }),
      ),
    restore: (source, request = {}) =>
      finish(host.management.restore({ source: uri(source), indexLink, ...request })),
    async put(name, body) {
      const link = `${factoryPath}/${name}`;
      const text = JSON.stringify(body);
      const exists = await host.documents.get(link).then(
        () => true,
        () => false,
      );
      const written = exists
        ? await host.documents.replace(link, text)
        : await host.documents.create(
            factoryPath,
            JSON.stringify({ ...body, documentSelfLink: name }),
            { revive: true },
          );
      return written.updateTimeMicros;
    },
    async contents() {
      const all: Record<string, string> = {};
      let pageToken: string | undefined;
      do {
        const page = await host.documents.list({
          factoryPath,
          expand: true,
          limit: 1000,
          ...(pageToken !== undefined && { pageToken }),
        });
        for (const { link, body } of page.documents) all[link.slice(factoryPath.length + 1)] = body;
        pageToken = page.nextPageToken;
      } while (pageToken !== undefined);
      return all;
    },
    async restart(changed) {
      running.delete(host);
      await host.close();
      host = await start(changed);
    },
    async stop() {
      running.delete(host);
      await host.close();
    },
  };
}

/** A platform with a clock that a test sets, in microseconds. */
export function clockPlatform(startMicros: number): Platform & { clock: { micros: number } } {
  const clock = { micros: startMicros };
  return { ...systemPlatform, nowMicros: () => clock.micros, clock };
}
