/** An open file. Rejects with the errors of node:fs. */
export interface OpenFile {
  /** Writes all bytes at a position. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Writes consecutive chunks at a position. */
  writeMany(chunks: readonly Uint8Array[], position: number): Promise<void>;
  /**
   * Reads from a position until the buffer is full or the file ends. Returns the number of bytes.
   */
  read(buffer: Uint8Array, position: number): Promise<number>;
  size(): Promise<number>;
  status(): Promise<FileStatus>;
  /**
   * Returns the current path of the open file with links resolved, or undefined if the operating
   * system does not provide it.
   */
  realPath(): Promise<string | undefined>;
  /** Sets the mode and, if the process is allowed to, the owner and group. */
  setAccess(access: FileAccess): Promise<void>;
  /** Truncates the file to a size. */
  truncate(sizeBytes: number): Promise<void>;
  /** Makes the contents durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Mode and owner of a file. */
export interface FileAccess {
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
}

/** Metadata of a file or directory. */
export interface FileStatus {
  kind: "file" | "directory" | "other";
  sizeBytes: number;
  modifiedMs: number;
  access: FileAccess;
  /** Changes when the file is replaced or modified: device, inode, size and modification time. */
  version: string;
}

/**
 * The file system. All file access of the host uses this interface, so that tests can count calls and
 * inject failures. The exceptions are live SQLite databases, and threads that need blocking calls.
 *
 * Paths are absolute. Methods reject with the errors of node:fs (`code` ENOENT, ENOSPC, ...). Opening
 * anything but a regular file throws DESTINATION_FAILED.
 */
export interface FileSystem {
  /**
   * Creates a file for reading and writing that only the current user can access. Rejects with
   * EEXIST if the file exists.
   */
  create(path: string): Promise<OpenFile>;
  /** Opens an existing file for reading. */
  openToRead(path: string): Promise<OpenFile>;
  /**
   * Opens or creates a file for appending; the position of a write is ignored. Only the current
   * user can access a new file. Rejects links with ELOOP.
   */
  openToAppend(path: string): Promise<OpenFile>;
  /** Opens an existing file for reading and writing. */
  openToWrite(path: string): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file if it exists. */
  remove(path: string): Promise<void>;
  /** Removes a directory and its contents, if it exists. */
  removeTree(path: string): Promise<void>;
  /** Removes a directory. Rejects with ENOTEMPTY if it is not empty. */
  removeEmptyDirectory(path: string): Promise<void>;
  /**
   * Creates a directory that only the current user can access, because it may contain documents.
   */
  makeDirectory(path: string): Promise<void>;
  /** Returns the names in a directory, sorted. */
  list(path: string): Promise<string[]>;
  /** Returns the metadata of a file, or undefined if it does not exist. Follows links. */
  status(path: string): Promise<FileStatus | undefined>;
  /** Returns a path with its links resolved. */
  realPath(path: string): Promise<string>;
  /** Makes renames and removals in the directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Returns the free bytes of the file system that contains a path. */
  freeBytes(path: string): Promise<number>;
  /** Returns the size of the file system that contains a path. */
  totalBytes(path: string): Promise<number>;
}

/** Returns the `code` of an error, for example ENOENT, or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  return typeof thrown === "object" &&
    thrown !== null &&
    "code" in thrown &&
    typeof thrown.code === "string"
    ? thrown.code
    : undefined;
}
