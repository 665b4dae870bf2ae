import { HostError } from "../errors.js";
import type { FileSystem, OpenFile } from "./file-system.js";

/** PATH_OUTSIDE_ROOTS: a directory on the way was replaced by a link since the path was checked. */
export function pathReplaced(path: string): HostError {
  return new HostError(
    "PATH_OUTSIDE_ROOTS",
    `Cannot use ${path}: a directory on its way was replaced while the host worked there. Nothing was read or written elsewhere. Keep other accounts from writing in the roots.`,
    { metadata: { path } },
  );
}

/** Throws unless an open file lies at the very path that it was opened by, whose links were resolved before. */
export async function requirePath(file: OpenFile, path: string): Promise<void> {
  const real = await file.realPath();
  // One that was replaced or removed since is what was there when it was opened.
  if (real !== undefined && real !== path && real !== `${path} (deleted)`) throw pathReplaced(path);
}

/**
 * Files by paths whose links are resolved: each file that is opened is looked at again, so that a directory that becomes a link
 * between the check of a path and its use leads nowhere. PATH_OUTSIDE_ROOTS.
 */
export function canonicalFiles(files: FileSystem): FileSystem {
  const checked = async (
    path: string,
    opened: Promise<OpenFile>,
    undo: () => Promise<void> = async () => {},
  ): Promise<OpenFile> => {
    const file = await opened;
    try {
      await requirePath(file, path);
      return file;
    } catch (error) {
      await file.close();
      await undo();
      throw error;
    }
  };
  return {
    ...files,
    create: (path) => checked(path, files.create(path), () => files.remove(path)),
    openToRead: (path) => checked(path, files.openToRead(path)),
    openToWrite: (path) => checked(path, files.openToWrite(path)),
    openToAppend: (path) => checked(path, files.openToAppend(path)),
  };
}
