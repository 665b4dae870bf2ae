import { basename, dirname, isAbsolute, join, relative } from "node:path";
import { HostError } from "../../errors.js";
import { errnoOf, type FileSystem } from "../../io/file-system.js";

/** The directories that requests may name files in. An empty list allows every path, for hosts that only this machine can reach. */
export interface Roots {
  paths: string[];
  /** What one of them is called: backup root. */
  what: string;
}

/** Resolves each root once, at the start: CONFIGURATION_INVALID where one is no directory. */
export async function resolveRoots(
  files: FileSystem,
  paths: string[],
  what: "backup root" | "file root" = "backup root",
): Promise<Roots> {
  const resolved: string[] = [];
  for (const path of paths) {
    const status = await files.status(path);
    if (status?.kind !== "directory") {
      throw new HostError(
        "CONFIGURATION_INVALID",
        `The ${what} ${path} is no directory; make it, or name another with --${what.replace(" ", "-")}.`,
      );
    }
    resolved.push(await files.realPath(path));
  }
  return { paths: resolved, what };
}

/** Links resolved as far as the path exists; what does not exist yet stays as written. */
export async function resolveLinks(files: FileSystem, path: string): Promise<string> {
  try {
    return await files.realPath(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT" || path === dirname(path)) {
      throw new HostError(
        "DESTINATION_INVALID",
        `The path ${path} cannot be followed (${errnoOf(error) ?? "unknown error"}).`,
        { cause: error },
      );
    }
    return join(await resolveLinks(files, dirname(path)), basename(path));
  }
}

/** Whether a path is a directory or lies in it; both with their links resolved. */
export function isWithin(path: string, root: string): boolean {
  const way = relative(root, path);
  return way !== ".." && !way.startsWith("../") && !isAbsolute(way);
}

/** Where the nearest directory above a path leads that can be followed. */
async function existingParent(files: FileSystem, path: string): Promise<string> {
  const parent = dirname(path);
  return files
    .realPath(parent)
    .catch(() => (parent === path ? path : existingParent(files, parent)));
}

/** The path with its links resolved; PATH_OUTSIDE_ROOTS unless it lies in a root. */
export async function resolveInRoots(
  files: FileSystem,
  roots: Roots,
  path: string,
): Promise<string> {
  const isAllowed = (one: string) =>
    roots.paths.length === 0 || roots.paths.some((root) => isWithin(one, root));
  // Outside of the roots every answer is the same, so that it does not reveal whether anything exists there.
  const resolved = await resolveLinks(files, path).catch(async (error: unknown) => {
    if (isAllowed(await existingParent(files, path))) throw error;
  });
  if (resolved === undefined || !isAllowed(resolved)) {
    throw new HostError(
      "PATH_OUTSIDE_ROOTS",
      `The path ${path} lies in none of the ${roots.what}s of this host (${roots.paths.join(", ")}).`,
      {
        metadata: { path },
      },
    );
  }
  return resolved;
}
