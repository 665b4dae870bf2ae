import { signatureName } from "../../src/segment/format.js";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { findManifest } from "../../src/backup/inspect.js";
import { openZipReader } from "../../src/container/zip-reader.js";
import { resolveSource } from "../../src/container/resolve.js";
import { localFiles } from "../../src/offline/local-files.js";
import { checkDigest } from "../../src/segment/segment-file.js";
import type { Manifest } from "../../src/segment/manifest.js";
import { writeStream } from "../../src/io/read-file.js";
import { systemPlatform } from "../../src/io/platform.js";

const signal = new AbortController().signal;

const openAt = async (path: string) =>
  (await resolveSource(localFiles(), pathToFileURL(path).href)).open({}, signal);

/** Reads the newest backup at a path like a restore, including the digests of its segments; throws if it is incomplete. */
export async function readWholeBackup(path: string): Promise<Manifest> {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-read-"));
  try {
    return await closing(await openAt(path), async (reader) => {
      const { manifest } = await findManifest(reader, {}, signal);
      for (const segment of manifest.segments) {
        const target = join(directory, segment.name);
        // In this process, unlike the product: the tests of damage read a backup thousands of times.
        if (reader.kind === "ZIP") {
          await closing(
            await openZipReader(path, () => systemPlatform.files.openToRead(path)),
            (archive) =>
              writeStream(
                systemPlatform.files,
                target,
                archive.bytesOf(segment, signal),
                segment.sizeBytes,
                signal,
              ),
          );
        } else await reader.fetch([{ segment, path: target }], signal);
        checkDigest({ ...segment, path: target }, () => {});
      }
      return manifest;
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function closing<R extends { close(): Promise<void> }, T>(
  opened: R,
  work: (opened: R) => Promise<T>,
): Promise<T> {
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

/** Names in a backup directory that no manifest lists. */
export async function strayFiles(path: string): Promise<string[]> {
  const manifests = await closing(await openAt(path), (reader) => reader.manifests(signal));
  const known = new Set(
    manifests.flatMap((found) => [
      found.name,
      signatureName(found.name),
      ...("file" in found ? found.file.manifest.segments.map(({ name }) => name) : []),
    ]),
  );
  return readdirSync(path).filter((name) => !known.has(name));
}
