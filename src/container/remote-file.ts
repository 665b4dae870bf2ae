import type { Destination } from "../destination/destination.js";
import { HostError } from "../errors.js";
import type { OpenFile } from "../io/file-system.js";

/**
 * Opens an object of a remote destination as a file for reading, so that the directory of an archive can
 * be read without fetching the archive. Each read is a request.
 */
export function openRemoteFile(
  destination: Destination,
  name: string,
  { sizeBytes, modifiedMs, version }: { sizeBytes: number; modifiedMs: number; version: string },
  signal: AbortSignal,
): OpenFile {
  const readOnly = async () => {
    throw new TypeError("a remote object is only read");
  };
  return {
    async read(buffer, position) {
      const end = Math.min(sizeBytes, position + buffer.length);
      let at = 0;
      if (position >= end) return 0;
      for await (const chunk of destination.get(name, { signal, offset: position, end })) {
        buffer.set(chunk, at);
        at += chunk.length;
      }
      if (at === end - position) return at;
      throw new HostError(
        "BACKUP_DAMAGED",
        `${destination.displayName(name)} ended after ${at} of ${end - position} bytes.`,
      );
    },
    size: async () => sizeBytes,
    status: async () => ({
      kind: "file",
      sizeBytes,
      modifiedMs,
      version,
      access: { mode: 0o600, uid: 0, gid: 0 },
    }),
    realPath: async () => undefined,
    close: async () => {},
    write: readOnly,
    writeMany: readOnly,
    setAccess: readOnly,
    truncate: readOnly,
    sync: readOnly,
  };
}
