import { HostError } from "../errors.js";
import type { ContainerReader } from "./container.js";

/**
 * Replaces the local path of a fetched archive in the message and metadata of an error by the name
 * of its source.
 */
export function errorWithDisplayName(thrown: unknown, path: string, name: string): unknown {
  if (!(thrown instanceof HostError) || !thrown.message.includes(path)) return thrown;
  const metadata = Object.fromEntries(
    Object.entries(thrown.metadata).map(([key, value]) => [key, value.replaceAll(path, name)]),
  );
  return new HostError(thrown.reason, thrown.message.replaceAll(path, name), {
    metadata,
    cause: thrown,
  });
}

/**
 * Wraps the reader of a fetched archive, so that its errors name the source instead of the local
 * file. Calls `close` after closing the reader.
 */
export function withDisplayName(
  reader: ContainerReader,
  displayName: string,
  close: () => Promise<void>,
): ContainerReader {
  const withName = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw errorWithDisplayName(error, reader.displayName, displayName);
    }
  };
  return {
    kind: reader.kind,
    displayName,
    decryptWith: reader.decryptWith,
    isDecrypted: reader.isDecrypted,
    manifests: (signal) => withName(reader.manifests(signal)),
    sizesOf: (names, signal) => withName(reader.sizesOf(names, signal)),
    fetch: (wanted, signal, onBytes) => withName(reader.fetch(wanted, signal, onBytes)),
    async *bytesOf(segment, signal) {
      try {
        yield* reader.bytesOf(segment, signal);
      } catch (error) {
        throw errorWithDisplayName(error, reader.displayName, displayName);
      }
    },
    async close() {
      await reader.close();
      await close();
    },
  };
}
