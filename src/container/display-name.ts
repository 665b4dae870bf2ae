import { HostError } from "../errors.js";
import type { ContainerReader } from "./container.js";

/** An error whose message names the source of an archive instead of the local file that holds it. */
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

/** A reader of an archive whose errors name its source instead of the local file; `close` runs after its own. */
export function withDisplayName(
  reader: ContainerReader,
  displayName: string,
  close: () => Promise<void>,
): ContainerReader {
  const renaming = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw errorWithDisplayName(error, reader.displayName, displayName);
    }
  };
  return {
    kind: reader.kind,
    displayName,
    manifests: (signal) => renaming(reader.manifests(signal)),
    sizeOf: (file, signal) => renaming(reader.sizeOf(file, signal)),
    fetch: (wanted, signal, onBytes) => renaming(reader.fetch(wanted, signal, onBytes)),
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
