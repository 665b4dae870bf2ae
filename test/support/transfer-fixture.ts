import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { HostOptions } from "../../src/host/options.js";
import type { TransferOptions } from "../../src/io/platform-options.js";
import { systemPlatform } from "../../src/io/platform.js";
import type { BackupRequest, BackupResult } from "../../src/backup/backup-request.js";
import type { RestoreRequest, RestoreResult } from "../../src/backup/restore-request.js";
import { hostFixture, type HostFixture } from "./host-fixture.js";

const indexLink = "/core/document-index";

/** A host with short timeouts of transfers, and functions to back up to a URI and restore from it. */
export interface TransferFixture extends HostFixture {
  backupTo(destination: string, more?: Partial<BackupRequest>): Promise<BackupResult>;
  restoreFrom(source: string, more?: Partial<RestoreRequest>): Promise<RestoreResult>;
  /** Files that transfers left on the disk of the host. */
  leftovers(): string[];
}

export async function transferFixture(
  transfer: TransferOptions = { retryTimeoutMs: 2500, idleTimeoutMs: 400, backOffMs: 5 },
  more: Partial<HostOptions> = {},
  root?: string,
  shared = false,
): Promise<TransferFixture> {
  const fixture = await hostFixture(
    { ...more, platform: { ...systemPlatform, transfer } },
    root,
    shared,
  );
  const { finish } = fixture;
  return Object.assign(fixture, {
    backupTo: (destination: string, request: Partial<BackupRequest> = {}) =>
      finish<BackupResult>(
        fixture.host.management.backup({
          destination,
          container: "STREAM",
          indexLink,
          store: true,
          ...request,
        }),
      ),
    restoreFrom: (source: string, request: Partial<RestoreRequest> = {}) =>
      finish<RestoreResult>(fixture.host.management.restore({ source, indexLink, ...request })),
    leftovers: () => readdirSync(join(fixture.root, "data", "temporary")),
  });
}

/** Writes documents of incompressible bytes with the given total size. */
export async function fillWith(
  fixture: HostFixture,
  documents: number,
  characters = 40_000,
): Promise<void> {
  for (let i = 0; i < documents; i += 1) {
    const pad = Array.from({ length: characters / 10 }, () =>
      Math.random().toString(36).slice(2, 12).padEnd(10, "0"),
    ).join("");
    await fixture.put(`d${i}`, { i, pad });
  }
}
