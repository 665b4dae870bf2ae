import { join } from "node:path";
import type { Report } from "../../backup/report.js";
import type { ContainerReader } from "../../container/container.js";
import { renamedError, renamedReader } from "../../container/renamed-reader.js";
import { openZipReader } from "../../container/zip-reader.js";
import { temporaryPrefix } from "../../io/durable-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { download } from "../../destination/http/download.js";
import { openFileSink } from "../../destination/http/file-sink.js";
import type { HttpUri } from "../../destination/http/uri.js";
import type { HttpFileClient } from "../../destination/http/client.js";

/** Fetches the archive whole, and opens it: nothing else is done before it is here. */
export async function openHttpSource(
  platform: Platform,
  temporaryDirectory: string,
  client: HttpFileClient,
  uri: HttpUri,
  signal: AbortSignal,
  report: Report,
  onClose: () => void,
): Promise<ContainerReader> {
  const path = join(temporaryDirectory, `${temporaryPrefix}fetched-${platform.randomHex(8)}.zip`);
  try {
    report({ stage: "downloading" });
    const sink = await openFileSink(
      platform,
      path,
      temporaryDirectory,
      client.name,
      (bytesDone, bytesTotal) => report({ bytesDone, bytesTotal }),
    );
    try {
      await download(platform, client, sink, limits.remoteRequests, signal);
    } finally {
      await sink.close();
    }
    const reader = await openZipReader(platform, path);
    return renamedReader(reader, uri.shown, async () => {
      await platform.files.remove(path).catch(() => {});
      onClose();
    });
  } catch (error) {
    await platform.files.remove(path).catch(() => {});
    throw renamedError(error, path, uri.shown);
  } finally {
    client.close();
  }
}
