import { checkDigests } from "../../backup/digests.js";
import { findManifest, withManifest, type ChosenManifest } from "../../backup/inspect.js";
import { resolveSource } from "../../container/resolve.js";
import { describeManifest } from "../../segment/description.js";
import type { Report } from "../../backup/progress.js";
import { verifyBackup } from "../../backup/verify.js";
import { HostError } from "../../errors.js";
import { fromFileError } from "../../io/file-error.js";
import type { ManagementOptions } from "./management-options.js";
import type { ManagementService } from "./management-service.js";
import { listSource, openSource, withSource } from "./sources.js";
import { withLastCheck } from "./verifications.js";

type BackupChecks = Pick<
  ManagementService,
  "verifyBackup" | "describeBackup" | "listBackups" | "checkDigests"
>;

/** Read-only methods on backups. */
export function createBackupChecks(options: ManagementOptions): BackupChecks {
  const { platform, storageEngine, operations, temporaryDirectory, verifications, ownIndexIds } =
    options;
  const never = new AbortController().signal;

  return {
    async verifyBackup(
      uri,
      name,
      { level, samplePercent } = { level: "FULL", samplePercent: 100 },
    ) {
      const source = await resolveSource(options, uri);
      // The operation names the index, so the manifest is read before it starts. The reader stays open for the operation.
      const reader = await openSource(source, never);
      try {
        const wanted = { name, indexIds: ownIndexIds() };
        const file = await findManifest(reader, wanted, never);
        const remember = (
          { sha256: manifestSha256 }: ChosenManifest,
          outcome: { passed: boolean; records: number; problem?: string },
        ) =>
          verifications.record(
            { uri: source.uri, manifestSha256 },
            { level, timeMicros: platform.nowMicros(), ...outcome },
          );
        const check = async (chosen: ChosenManifest, signal: AbortSignal, report: Report) => {
          for (const warning of chosen.warnings) report({ warning });
          try {
            const checked = await verifyBackup(
              platform,
              storageEngine,
              { reader, manifest: chosen.manifest, level, samplePercent, temporaryDirectory },
              signal,
              report,
            );
            await remember(chosen, { passed: true, records: checked.records });
            return checked;
          } catch (error) {
            const failed = HostError.from(fromFileError(error, `Verifying ${source.uri}`));
            if (failed.reason === "BACKUP_DAMAGED")
              await remember(chosen, { passed: false, records: 0, problem: failed.message });
            throw failed;
          }
        };
        return await operations.start({
          kind: "verify-backup",
          indexLink: file.manifest.indexLink,
          target: source.uri,
          async run(signal, report) {
            try {
              const { checked, chosen } = await withManifest(
                reader,
                wanted,
                signal,
                async (manifest) => ({
                  checked: await check(manifest, signal, report),
                  chosen: manifest,
                }),
                file,
              );
              return {
                backup: describeManifest(source, chosen),
                level,
                ...checked,
              };
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
    async describeBackup(uri, manifest, signal = never) {
      const source = await resolveSource(options, uri);
      return withSource(source, signal, undefined, async (reader) =>
        describeManifest(
          source,
          await findManifest(reader, { name: manifest, indexIds: ownIndexIds() }, signal),
        ),
      );
    },
    async listBackups(uri, { recursive = false, signal = never } = {}) {
      const source = await resolveSource(options, uri);
      const listed = await listSource(options, source, recursive, signal);
      return listed.map((one) => withLastCheck(verifications, one));
    },
    checkDigests: (listings, signal = never) =>
      checkDigests(
        listings,
        async (uri) => openSource(await resolveSource(options, uri), signal),
        signal,
      ),
  };
}
