import { resolve } from "node:path";
import { resolveLinks, resolveRoots, type Roots } from "../destination/file/roots.js";
import { FileStore } from "../xenon/local-files/file-store.js";
import type { Backups } from "./backups.js";
import type { HostContext } from "./context.js";

/** Opens the files of /local-files. */
export async function openLocalFiles(context: HostContext, { paths }: Backups): Promise<FileStore> {
  const { options, directory, lifecycle } = context;
  const { platform, secretFiles } = options;
  const resolved = secretFiles.map((path) => resolveLinks(platform.files, resolve(path)));
  const fileStore = await FileStore.open(platform, {
    directory: directory.fileServices,
    roots: await fileRoots(context, paths.roots),
    closed: [
      paths.dataDirectory,
      ...(paths.autoBackupDirectory === undefined ? [] : [paths.autoBackupDirectory]),
      ...(await Promise.all(resolved)),
    ],
    onBackgroundError: context.onInternalError,
  });
  lifecycle.onClose(() => fileStore.close());
  return fileStore;
}

/**
 * Returns the roots of /local-files: those of the options. By default the backup roots, or, if clients
 * have to authenticate, none: undefined, so that they can create no files.
 */
async function fileRoots(
  { options, tokens }: HostContext,
  backupRoots: Roots,
): Promise<Roots | undefined> {
  if (options.fileRoots.length > 0)
    return resolveRoots(options.platform.files, options.fileRoots, "file root");
  const authenticated = tokens !== undefined || options.tls?.clientCa !== undefined;
  return authenticated ? undefined : backupRoots;
}
