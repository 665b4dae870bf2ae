/**
 * The seam to the file system: everything the host does to files of its own goes through it, so that a test can count,
 * fail or stop at each call. Files of a live SQLite database are never opened through this.
 */
export interface OpenFile {
  /** Writes all of the bytes at the position. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** The same for pieces that follow each other. */
  writeMany(pieces: readonly Uint8Array[], position: number): Promise<void>;
  /** Fills the buffer from the position as far as the file goes; returns the count. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  size(): Promise<number>;
  status(): Promise<FileStatus>;
  /** Where the file that is open lies now, its links resolved, whatever its path meant when it was opened; undefined where the system cannot tell. */
  realPath(): Promise<string | undefined>;
  /** Gives the file the mode and, where the process may, the owner and group. */
  setAccess(access: FileAccess): Promise<void>;
  /** Cuts off what is beyond so many bytes. */
  truncate(sizeBytes: number): Promise<void>;
  /** Durable when it resolves. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Who may use a file. */
export interface FileAccess {
  /** The permission bits. */
  mode: number;
  uid: number;
  gid: number;
}

export interface FileStatus {
  kind: "file" | "directory" | "other";
  sizeBytes: number;
  modifiedMs: number;
  access: FileAccess;
  /** Of the same file with the same bytes the same: made of its device, number, size and times. */
  version: string;
}

/** Paths are absolute. Rejects with the errors of node:fs (`code` ENOENT, ENOSPC, ..). */
export interface FileSystem {
  /** A new file for the process's own user alone, to write and read; EEXIST where there is one. What is opened must be a regular file (DESTINATION_FAILED). */
  create(path: string): Promise<OpenFile>;
  openToRead(path: string): Promise<OpenFile>;
  /** Opens a file for appending, whatever position a write names. A new file is private to this user. Links are refused (ELOOP). */
  openToAppend(path: string): Promise<OpenFile>;
  /** An existing file, to read it, write to it and sync it. */
  openToWrite(path: string): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  removeTree(path: string): Promise<void>;
  /** ENOTEMPTY where it holds anything. */
  removeEmptyDirectory(path: string): Promise<void>;
  /** Creates a directory that is private to this user, since it may hold documents or backups of them. */
  makeDirectory(path: string): Promise<void>;
  /** Names in a directory, sorted. */
  list(path: string): Promise<string[]>;
  /** Undefined where there is nothing; links are followed. */
  status(path: string): Promise<FileStatus | undefined>;
  realPath(path: string): Promise<string>;
  /** Makes renames and removals in the directory durable. */
  syncDirectory(path: string): Promise<void>;
  freeBytes(path: string): Promise<number>;
  /** The size of the file system that the path lies on. */
  totalBytes(path: string): Promise<number>;
}

/** The code of a node:fs error, for example ENOENT. */
export function errnoOf(thrown: unknown): string | undefined {
  return typeof thrown === "object" &&
    thrown !== null &&
    "code" in thrown &&
    typeof thrown.code === "string"
    ? thrown.code
    : undefined;
}
