import { HostError } from "../errors.js";
import type { ContainerReader } from "./container.js";

/** An error that names the place a backup came from in place of the file it was fetched into. */
export function renamedError(thrown: unknown, path: string, name: string): unknown {
  if (!(thrown instanceof HostError) || !thrown.message.includes(path)) return thrown;
  const metadata = Object.fromEntries(
    Object.entries(thrown.metadata).map(([key, value]) => [key, value.replaceAll(path, name)]),
  );
  return new HostError(thrown.reason, thrown.message.replaceAll(path, name), {
    metadata,
    cause: thrown,
  });
}

/** The reader of a fetched archive, which its errors call by another name; `close` is given, as the file is not the reader's. */
export function renamedReader(
  reader: ContainerReader,
  name: string,
  close: () => Promise<void>,
): ContainerReader {
  const renaming = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw renamedError(error, reader.path, name);
    }
  };
  return {
    kind: reader.kind,
    path: name,
    manifests: (signal) => renaming(reader.manifests(signal)),
    sizeOf: (file) => renaming(reader.sizeOf(file)),
    fetch: (wanted, signal, onBytes) => renaming(reader.fetch(wanted, signal, onBytes)),
    async *bytesOf(segment, signal) {
      try {
        yield* reader.bytesOf(segment, signal);
      } catch (error) {
        throw renamedError(error, reader.path, name);
      }
    },
    async close() {
      await reader.close();
      await close();
    },
  };
}
