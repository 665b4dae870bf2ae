import { checkDigests } from "../../backup/digests.js";
import {
  findManifest,
  locationOf,
  withManifest,
  type ChosenManifest,
} from "../../backup/inspect.js";
import type { ContainerReader } from "../../container/container.js";
import { resolveSource, type BackupSource } from "../../container/resolve.js";
import { describeManifest, type BackupDescription } from "../../segment/description.js";
import type { Report } from "../../backup/progress.js";
import type { BackupListing, ListOptions } from "../../backup/listing.js";
import { keepVerification } from "../../backup/kept-verification.js";
import type { Verification, VerifyDepth } from "../../backup/verification.js";
import type { OperationView } from "../../operation/operation.js";
import { verifyBackup, type Checked } from "../../backup/verify.js";
import { HostError } from "../../errors.js";
import { fromFileError } from "../../io/file-error.js";
import { compareRestored } from "./compare-restored.js";
import type { ManagementOptions } from "./management-options.js";
import { listSource, openSource, withSource } from "./sources.js";
import { withLastCheck } from "./verifications.js";

const never = new AbortController().signal;

/** The read-only methods on backups. */
export class BackupChecks {
  constructor(private readonly options: ManagementOptions) {}

  /** Starts to verify a backup, as an operation. Default level: FULL. */
  async verifyBackup(
    uri: string,
    name: string | undefined,
    depth: VerifyDepth = { level: "FULL", samplePercent: 100 },
  ): Promise<OperationView> {
    const { operations, ownIndexIds } = this.options;
    const { decryptWith, policy } = depth;
    const source = await resolveSource(this.options, uri, { decryptWith });
    // The operation names the index, so the manifest is read before it starts. The reader stays open for the operation.
    const reader = await openSource(source, never);
    try {
      const wanted = { name, indexIds: ownIndexIds() };
      const file = await findManifest(reader, wanted, never);
      const verify = async (chosen: ChosenManifest, signal: AbortSignal, report: Report) => {
        const checked = await this.verifyManifest(source, reader, chosen, depth, signal, report);
        return {
          backup: describeManifest(locationOf(source, reader), chosen),
          level: depth.level,
          warnings: chosen.warnings,
          ...checked,
        };
      };
      return await operations.start({
        kind: "verify-backup",
        indexLink: file.manifest.indexLink,
        target: source.uri,
        policy,
        async run(signal, report) {
          try {
            return await withManifest(
              reader,
              wanted,
              signal,
              (chosen) => verify(chosen, signal, report),
              file,
            );
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
  }

  /** Describes a backup by its manifest. */
  async describeBackup(
    uri: string,
    manifest?: string,
    { signal = never, decryptWith }: Pick<ListOptions, "signal" | "decryptWith"> = {},
  ): Promise<BackupDescription> {
    const source = await resolveSource(this.options, uri, { decryptWith });
    const wanted = { name: manifest, indexIds: this.options.ownIndexIds() };
    return withSource(source, signal, undefined, async (reader) =>
      describeManifest(locationOf(source, reader), await findManifest(reader, wanted, signal)),
    );
  }

  /** Lists the backups at a source, each with its last verification. */
  async listBackups(
    uri: string,
    { recursive = false, signal = never, decryptWith }: ListOptions = {},
  ): Promise<BackupListing[]> {
    const source = await resolveSource(this.options, uri, { decryptWith });
    const listed = await listSource(this.options, source, recursive, signal);
    return listed.map((one) => withLastCheck(this.options.verifications, one));
  }

  /** Compares the digests of all files, and returns the listing with damaged backups marked. */
  checkDigests(
    listings: readonly BackupListing[],
    { signal = never, decryptWith }: Pick<ListOptions, "signal" | "decryptWith"> = {},
  ): Promise<BackupListing[]> {
    return checkDigests(
      listings,
      async (uri) => openSource(await resolveSource(this.options, uri, { decryptWith }), signal),
      signal,
    );
  }

  /** Verifies one manifest and records the result. */
  private async verifyManifest(
    source: BackupSource,
    reader: ContainerReader,
    chosen: ChosenManifest,
    { level, samplePercent, compare = false, decryptWith, policy }: VerifyDepth,
    signal: AbortSignal,
    report: Report,
  ): Promise<Checked> {
    const { platform, storageEngine, temporaryDirectory, verifications } = this.options;
    const remember = async (outcome: Omit<Verification, "level" | "timeMicros">) => {
      const verification = { level, timeMicros: platform.nowMicros(), ...outcome };
      const copy = { uri: source.uri, manifestSha256: chosen.sha256 };
      await verifications.record(copy, verification);
      // A client that verifies changes nothing at the destination.
      if (policy === undefined || reader.kind === "ZIP") return;
      const kept = { ...verification, hostId: this.options.hostId };
      await keepVerification(source.location.destination, chosen.name, kept, signal).catch(
        (error: unknown) => {
          const { message } = HostError.from(fromFileError(error, "Keeping the result"));
          report({ warning: `The result is not beside the backup: ${message}` });
        },
      );
    };
    for (const warning of chosen.warnings) report({ warning });
    try {
      const { manifest } = chosen;
      const task = { reader, manifest, level, samplePercent, temporaryDirectory };
      const tested =
        compare && level === "TEST_RESTORE"
          ? await compareRestored(
              this.options,
              { uri: source.uri, chosen, decryptWith },
              signal,
              report,
            )
          : undefined;
      const checked = tested ?? (await verifyBackup(platform, storageEngine, task, signal, report));
      const { records, documents, restoreMicros, compared } = checked;
      await remember({
        passed: true,
        records,
        ...(level === "TEST_RESTORE" && {
          ...(documents !== undefined && { documents }),
          ...(restoreMicros !== undefined && { restoreMicros }),
          compared: compared ?? false,
        }),
      });
      return checked;
    } catch (error) {
      const failed = HostError.from(fromFileError(error, `Verifying ${source.uri}`));
      if (failed.reason === "BACKUP_DAMAGED")
        await remember({ passed: false, records: 0, problem: failed.message });
      throw failed;
    }
  }
}
