import { dirname, resolve } from "node:path";
import { schemeOf } from "../destination/file/uri.js";
import { resolveRoots } from "../destination/file/roots.js";
import { HostError } from "../errors.js";
import { resolveOptions, type HostOptions } from "./options.js";
import { checkDatabase } from "./storage.js";
import { directoriesOf, isS3Uri, isUri, pathOfDestination } from "./destination-option.js";
import { parseAllowedDestination } from "../destination/network/address-policy.js";
import { clientTls } from "../destination/network/tls.js";
import { checkPolicy } from "../policy/policy.js";
import { declaredPolicies, parseHostIdentities } from "./policies.js";
import { parseRecipients } from "../encryption/recipients.js";
import { parseS3Endpoint, parseS3Uri } from "../destination/s3/uri.js";
import { parseTrustedSigners } from "../signature/trusted-signers.js";
import { checkExposure } from "../security/exposure.js";
import { parseTokens } from "../security/tokens.js";

/** Checks the endpoint, the URIs among the backup roots, and that of automatic backups. */
function checkS3({
  s3,
  backupRoots,
  autoBackupDestination: automatic,
}: Pick<HostOptions, "s3" | "autoBackupDestination"> & { backupRoots: string[] }): void {
  try {
    if (s3?.endpoint !== undefined) parseS3Endpoint(s3.endpoint);
    backupRoots.filter(isUri).map(parseS3Uri);
    if (automatic !== undefined && isS3Uri(automatic)) parseS3Uri(automatic);
  } catch (cause) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `${HostError.from(cause).message} Check --s3-endpoint, --backup-root and --auto-backup-destination.`,
      { cause },
    );
  }
}

/**
 * Validates the options of a host without starting it. Throws CONFIGURATION_INVALID, among others,
 * for whatever would make the start fail and can be checked without side effects.
 */
export async function checkConfiguration(given: HostOptions): Promise<void> {
  const options = resolveOptions(given);
  const { files } = options.platform;
  checkExposure({
    httpHost: options.httpHost,
    grpcHost: options.grpcHost,
    authenticated: options.tokens !== undefined || options.tls?.clientCa !== undefined,
    backupRoots: options.backupRoots,
  });
  if (options.tokens !== undefined) parseTokens(options.tokens);
  await resolveRoots(files, directoriesOf(options.backupRoots));
  checkS3(options);
  if (options.postgres) await checkDatabase(options.postgres);
  await resolveRoots(files, options.fileRoots, "file root");
  options.allowDestinations.map(parseAllowedDestination);
  clientTls(options.clientTls);
  if (options.trustedSigners !== undefined) parseTrustedSigners(options.trustedSigners);
  if (options.recipients !== undefined) await parseRecipients(options.recipients);
  if (options.identities !== undefined) await parseHostIdentities(options.identities);
  for (const spec of declaredPolicies(options.policies)) checkPolicy(spec);
  const { autoBackupDestination: automatic } = options;
  const autoBackupPath = pathOfDestination(automatic);
  if (automatic !== undefined && autoBackupPath === undefined && !isS3Uri(automatic)) {
    const scheme = options.destinations[schemeOf(automatic)];
    if (!scheme?.containers.includes("DIRECTORY"))
      throw new HostError(
        "CONFIGURATION_INVALID",
        `Automatic backups cannot go to ${schemeOf(automatic)}: destinations. Name a directory.`,
      );
  }
  for (const directory of [
    options.dataDirectory,
    ...(autoBackupPath === undefined ? [] : [autoBackupPath]),
  ]) {
    const path = resolve(directory);
    const status = await files.status(path);
    if (status !== undefined && status.kind !== "directory")
      throw new HostError("CONFIGURATION_INVALID", `${path} is not a directory. Name a directory.`);
    if (status === undefined && (await files.status(dirname(path)))?.kind !== "directory")
      throw new HostError(
        "CONFIGURATION_INVALID",
        `Cannot create ${path}: the parent directory does not exist. Create it or mount the disk.`,
      );
  }
}
