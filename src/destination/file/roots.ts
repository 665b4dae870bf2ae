import { basename, dirname, isAbsolute, join, relative } from "node:path";
import { HostError } from "../../errors.js";
import { errnoOf, type FileSystem } from "../../io/file-system.js";

/** Directories to which the files of requests are restricted. */
export interface Roots {
  /**
   * Paths with links resolved. Undefined allows every path, for hosts that only this machine can
   * reach.
   */
  paths: string[] | undefined;
  /** Name of a root in messages, for example `backup root`. */
  what: string;
}

/**
 * Resolves the links of roots. Undefined paths allow every path. Throws CONFIGURATION_INVALID unless
 * each is a directory.
 */
export async function resolveRoots(
  files: FileSystem,
  paths: readonly string[] | undefined,
  what: "backup root" | "file root" = "backup root",
): Promise<Roots> {
  if (paths === undefined) return { paths, what };
  const resolved: string[] = [];
  for (const path of paths) {
    const status = await files.status(path);
    if (status?.kind !== "directory") {
      throw new HostError(
        "CONFIGURATION_INVALID",
        `The ${what} ${path} is not a directory. Create it, or set another with --${what.replace(" ", "-")}.`,
      );
    }
    resolved.push(await files.realPath(path));
  }
  return { paths: resolved, what };
}

/**
 * Resolves the links of a path, as far as it exists. Throws DESTINATION_INVALID if that fails, for
 * example for a loop.
 */
export async function resolveLinks(files: FileSystem, path: string): Promise<string> {
  try {
    return await files.realPath(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" || path === dirname(path)) {
      throw new HostError(
        "DESTINATION_INVALID",
        `Cannot resolve the path ${path} (${errnoOf(error) ?? "unknown error"}). Check its links and permissions.`,
        { cause: error },
      );
    }
    return join(await resolveLinks(files, dirname(path)), basename(path));
  }
}

/** Whether a path equals a directory or is in it. The links of both must be resolved. */
export function isWithin(path: string, root: string): boolean {
  const rest = relative(root, path);
  return rest !== ".." && !rest.startsWith("../") && !isAbsolute(rest);
}

/** Returns the nearest directory above a path that can be resolved, with links resolved. */
async function existingParent(files: FileSystem, path: string): Promise<string> {
  const parent = dirname(path);
  return files
    .realPath(parent)
    .catch(() => (parent === path ? path : existingParent(files, parent)));
}

/** Resolves the links of a path. Throws PATH_OUTSIDE_ROOTS unless it is in a root. */
export async function resolveInRoots(
  files: FileSystem,
  roots: Roots,
  path: string,
): Promise<string> {
  const isAllowed = (one: string) =>
    roots.paths === undefined || roots.paths.some((root) => isWithin(one, root));
  // Outside the roots, every error is the same, so that it does not reveal whether the path exists.
  const resolved = await resolveLinks(files, path).catch(async (error: unknown) => {
    if (isAllowed(await existingParent(files, path))) throw error;
  });
  if (resolved === undefined || !isAllowed(resolved)) {
    throw new HostError(
      "PATH_OUTSIDE_ROOTS",
      `The path ${path} is outside the ${roots.what}s of this host (${roots.paths?.join(", ") || "none is a directory"}).`,
      {
        metadata: { path },
      },
    );
  }
  return resolved;
}
