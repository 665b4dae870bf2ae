import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Report } from "../../backup/report.js";
import { openArchiveWriter } from "../../container/archive-writer.js";
import type { ContainerWriter } from "../../container/container.js";
import { HostError } from "../../errors.js";
import { temporaryPrefix } from "../../io/durable-file.js";
import { acquireLease } from "../../io/lease.js";
import type { Platform } from "../../io/platform.js";
import type { HttpUri } from "../../destination/http/uri.js";
import type { HttpFileClient } from "../../destination/http/client.js";
import { readBack } from "../../destination/http/read-back.js";
import { upload } from "../../destination/http/upload.js";

export interface HttpDestination {
  platform: Platform;
  temporaryDirectory: string;
  uri: HttpUri;
  connect(): HttpFileClient;
  /** Absent: what was sent is read back, and a server that does not let it be read is a warning. */
  verify?: boolean;
}

/** Packs an archive on this machine, sends it and reads it back. */
export async function openHttpWriter(
  { platform, temporaryDirectory, uri, connect, verify }: HttpDestination,
  signal: AbortSignal,
  report: Report,
): Promise<ContainerWriter> {
  // Two backups that send to one file would leave a mix of both.
  const key = createHash("sha256")
    .update(`${uri.authority.toLowerCase()}${uri.target}`)
    .digest("hex")
    .slice(0, 32);
  const lease = await acquireLease(
    platform,
    join(temporaryDirectory, `${temporaryPrefix}${key}.lease`),
    signal,
  ).catch((error: unknown) => {
    if (!(error instanceof HostError) || error.reason !== "DESTINATION_BUSY") throw error;
    throw new HostError(
      "DESTINATION_BUSY",
      `Another backup goes to ${uri.shown}; try again when it is done.`,
      { cause: error },
    );
  });
  const own = platform.randomHex(8);
  try {
    const writer = await openArchiveWriter(platform, {
      unfinished: join(temporaryDirectory, `${temporaryPrefix}packed-${own}.zip`),
      staging: join(temporaryDirectory, `${temporaryPrefix}packing-${own}`),
      // Each archive is whole: what is at the destination is not asked for.
      existing: [],
      lease,
      holds: () => false,
      async publish(archive, publishSignal) {
        const client = connect();
        try {
          return await send(platform, client, archive, verify, publishSignal, report);
        } finally {
          client.close();
        }
      },
      release: () => lease.release(),
    });
    return {
      ...writer,
      async commit(staged, manifest, commitOptions) {
        // Stored, an archive is as large as what is in it.
        const needed = staged.reduce(
          (sum, { segment }) => sum + segment.sizeBytes,
          manifest.bytes.length,
        );
        const free = await platform.files.freeBytes(temporaryDirectory);
        if (free < needed) {
          throw new HostError(
            "STORAGE_FULL",
            `The backup is packed here before it is sent: that may take ${needed} bytes on the disk of the data directory, and ${free} are free. Nothing was sent.`,
          );
        }
        return writer.commit(staged, manifest, commitOptions);
      },
    };
  } catch (error) {
    await lease.release();
    throw error;
  }
}

async function send(
  platform: Platform,
  client: HttpFileClient,
  archive: { path: string; sizeBytes: number; sha256: string },
  verify: boolean | undefined,
  signal: AbortSignal,
  report: Report,
): Promise<{ verified: boolean; warnings: string[] }> {
  const { sizeBytes } = archive;
  let bytesDone = 0;
  report({ stage: "uploading", bytesDone, bytesTotal: sizeBytes });
  await upload(platform, client, archive, signal, (count) =>
    report({ bytesDone: (bytesDone += count) }),
  );
  if (verify === false)
    return {
      verified: false,
      warnings: ["What was sent was not read back, as the request wants it."],
    };
  report({ stage: "reading back", bytesDone: 0 });
  const status = await readBack(platform, client, archive, signal, (done) =>
    report({ bytesDone: done }),
  );
  if (status === undefined) return { verified: true, warnings: [] };
  const problem = `${client.name} took everything but does not let it be read (it answered GET with ${status}), so that nobody knows whether it arrived whole`;
  if (verify)
    throw new HostError("DESTINATION_REFUSED", `${problem}. The request wants it verified.`, {
      metadata: { status },
    });
  return { verified: false, warnings: [`${problem}.`] };
}
