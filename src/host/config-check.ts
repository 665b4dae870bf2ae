import { dirname, resolve } from "node:path";
import { schemeOf } from "../destination/file/uri.js";
import { resolveRoots } from "../destination/file/roots.js";
import { HostError } from "../errors.js";
import { resolveOptions, type HostOptions } from "./options.js";
import { pathOfDestination } from "./destination-option.js";
import { parseAllowedDestination } from "../destination/network/address-policy.js";
import { clientTls } from "../destination/network/tls.js";
import { checkExposure } from "../security/exposure.js";
import { parseTokens } from "../security/tokens.js";

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
  await resolveRoots(files, options.backupRoots);
  await resolveRoots(files, options.fileRoots, "file root");
  options.allowDestinations.map(parseAllowedDestination);
  clientTls(options.clientTls);
  const { autoBackupDestination: automatic } = options;
  const autoBackupPath = pathOfDestination(automatic);
  if (automatic !== undefined && autoBackupPath === undefined) {
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
