import { HostError } from "../errors.js";
import type { FileSystem, OpenFile } from "./file-system.js";

/**
 * Returns the error for a path in which a directory was replaced by a link after the check of the
 * path.
 */
export function pathReplaced(path: string): HostError {
  return new HostError(
    "PATH_OUTSIDE_ROOTS",
    `Cannot use ${path}: a directory in the path was replaced by a link while the host used it. Nothing outside the path was read or written. Prevent other accounts from writing to the roots.`,
    { metadata: { path } },
  );
}

/**
 * Throws PATH_OUTSIDE_ROOTS unless an open file has exactly the path by which it was opened, with
 * links resolved.
 */
export async function requirePath(file: OpenFile, path: string): Promise<void> {
  const real = await file.realPath();
  // A file that was replaced or removed after it was opened is still the file at the path.
  if (real !== undefined && real !== path && real !== `${path} (deleted)`) throw pathReplaced(path);
}

/**
 * Wraps a file system for paths with resolved links. Checks the path of each opened file again, so
 * that a directory that becomes a link between the check and the use of a path has no effect. Opening
 * throws PATH_OUTSIDE_ROOTS in that case.
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
