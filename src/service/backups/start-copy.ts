import { copyBackups, type CopyResult } from "../../backup/copy.js";
import { findManifest, withManifest } from "../../backup/inspect.js";
import type { Report } from "../../backup/progress.js";
import type { ContainerReader } from "../../container/container.js";
import { resolveSource, type BackupSource } from "../../container/resolve.js";
import { HostError } from "../../errors.js";
import { fromFileError } from "../../io/file-error.js";
import { fingerprintOf } from "../../operation/fingerprint.js";
import type { OperationView } from "../../operation/operation.js";
import { describeManifest } from "../../segment/description.js";
import type { StoredManifest } from "../../segment/manifest.js";
import type { ManagementOptions } from "./management-options.js";
import { openSource } from "./sources.js";

/** Request for a copy of a backup. */
export interface CopyRequest {
  /** URI of the backups to copy from. */
  source: string;
  /** URI of a destination of incremental backups. */
  destination: string;
  /** Default: the newest. */
  backupName?: string;
  /** Also copies earlier backups of the same index that are newer than those at the destination. Default: false. */
  catchUp?: boolean;
  requestId?: string;
  /** Name of the policy that copies. Default: a client does. */
  policy?: string;
}

type CopyOptions = Pick<
  ManagementOptions,
  | "platform"
  | "operations"
  | "registry"
  | "ownIndexIds"
  | "temporaryDirectory"
  | "trust"
  | "verifications"
>;

const never = new AbortController().signal;

/** Starts to copy a backup, as an operation. Resolves when the request is validated. */
export async function startCopy(
  options: CopyOptions,
  request: CopyRequest,
): Promise<OperationView> {
  const { operations, registry, ownIndexIds } = options;
  const source = await resolveSource(options, request.source);
  const target = await registry.open({ uri: request.destination, purpose: "write objects" });
  if (await isSame(source, target))
    throw new HostError(
      "REQUEST_INVALID",
      `The destination is the source: ${source.uri}. Choose another destination.`,
      { metadata: { field: "destination" } },
    );
  const reader = await openSource(source, never);
  try {
    if (reader.kind !== "DIRECTORY")
      throw new HostError(
        "NOT_SUPPORTED",
        `${source.uri} is an archive, and only backups of type DIRECTORY are copied incrementally. Copy the file itself.`,
        { metadata: { field: "source" } },
      );
    const wanted = { name: request.backupName, indexIds: ownIndexIds() };
    const file = await findManifest(reader, wanted, never);
    const run = (signal: AbortSignal, report: Report) =>
      withManifest(
        reader,
        wanted,
        signal,
        async (manifest): Promise<CopyResult> => ({
          backup: describeManifest({ uri: target.uri, container: "DIRECTORY" }, manifest),
          ...(await copyBackups(
            options.platform,
            {
              reader,
              source: source.location.destination,
              manifest,
              earlier: request.catchUp ? await earlierBackups(reader, manifest, signal) : [],
              destination: target.destination,
              isDamaged: (manifestSha256) =>
                options.verifications.isDamaged({ uri: target.uri, manifestSha256 }),
              onRepaired: (manifestSha256) =>
                options.verifications.forget({ uri: target.uri, manifestSha256 }),
            },
            signal,
            report,
          )),
        }),
        file,
      );
    return await operations.start({
      kind: "copy-backup",
      indexLink: file.manifest.indexLink,
      target: target.uri,
      policy: request.policy,
      ...(request.requestId && { requestId: request.requestId }),
      fingerprint: fingerprintOf(request, ["requestId", "destination"]),
      run: (signal, report) => closing(reader, target.uri, () => run(signal, report)),
    });
  } catch (error) {
    await reader.close();
    throw error;
  }
}

/** Returns the readable backups of the same index that are older than one, newest first. */
async function earlierBackups(
  reader: ContainerReader,
  { name, manifest: { indexId, indexLink } }: StoredManifest,
  signal: AbortSignal,
): Promise<StoredManifest[]> {
  const found = await reader.manifests(signal);
  return found
    .slice(found.findIndex((one) => one.name === name) + 1)
    .flatMap((one) => ("file" in one ? [one.file] : []))
    .filter(({ manifest }) => manifest.indexId === indexId && manifest.indexLink === indexLink);
}

async function closing(
  reader: ContainerReader,
  uri: string,
  work: () => Promise<CopyResult>,
): Promise<CopyResult> {
  try {
    return await work();
  } catch (error) {
    throw fromFileError(error, `The copy to ${uri}`);
  } finally {
    await reader.close();
  }
}

async function isSame(
  { uri, location }: BackupSource,
  target: Pick<BackupSource["location"], "destination"> & { uri: string },
): Promise<boolean> {
  if (uri === target.uri) return true;
  const { destination } = target;
  // What does not exist yet has no identity.
  if ((await destination.exists?.()) === false) return false;
  const [own, other] = await Promise.all([
    location.destination.identity?.(),
    destination.identity?.(),
  ]);
  return own !== undefined && own === other;
}
