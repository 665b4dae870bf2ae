import { join } from "node:path";
import type { Report } from "../../backup/report.js";
import type { ContainerReader } from "../../container/container.js";
import { renamedError, renamedReader } from "../../container/renamed-reader.js";
import { openZipReader } from "../../container/zip-reader.js";
import { temporaryPrefix } from "../../io/durable-file.js";
import type { Seams } from "../../io/seams.js";
import { limits } from "../../limits.js";
import { download } from "../../destination/http/download.js";
import { openFileSink } from "../../destination/http/file-sink.js";
import type { HttpUri } from "../../destination/http/uri.js";
import type { Peer } from "../../destination/http/peer.js";

/** Fetches the archive whole, and opens it: nothing else is done before it is here. */
export async function openHttpSource(
  seams: Seams,
  temporaryDirectory: string,
  peer: Peer,
  uri: HttpUri,
  signal: AbortSignal,
  report: Report,
  onClose: () => void,
): Promise<ContainerReader> {
  const path = join(temporaryDirectory, `${temporaryPrefix}fetched-${seams.randomHex(8)}.zip`);
  try {
    report({ stage: "downloading" });
    const sink = await openFileSink(
      seams,
      path,
      temporaryDirectory,
      peer.name,
      (bytesDone, bytesTotal) => report({ bytesDone, bytesTotal }),
    );
    try {
      await download(seams, peer, sink, limits.remoteRequests, signal);
    } finally {
      await sink.close();
    }
    const reader = await openZipReader(seams, path);
    return renamedReader(reader, uri.shown, async () => {
      await seams.files.remove(path).catch(() => {});
      onClose();
    });
  } catch (error) {
    await seams.files.remove(path).catch(() => {});
    throw renamedError(error, path, uri.shown);
  } finally {
    peer.close();
  }
}
