import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Report } from "../backup/report.js";
import { openArchiveWriter } from "../container/archive-writer.js";
import type { ContainerReader, ContainerWriter } from "../container/container.js";
import { renamedError, renamedReader } from "../container/renamed-reader.js";
import { openZipReader } from "../container/zip-reader.js";
import { HostError } from "../errors.js";
import { temporaryPrefix } from "../io/durable-file.js";
import { acquireLease } from "../io/lease.js";
import type { Seams } from "../io/seams.js";
import { limits } from "../limits.js";
import type { AddressPolicy } from "../remote/address-policy.js";
import { download } from "../remote/download.js";
import { openFileSink } from "../remote/file-sink.js";
import { parseHttpUri, type HttpUri } from "../remote/http-uri.js";
import { openPeer, type Peer } from "../remote/peer.js";
import { readBack } from "../remote/read-back.js";
import type { ClientTls } from "../remote/tls.js";
import { upload } from "../remote/upload.js";
import type { SchemePlaces } from "./places.js";

export interface HttpPlacesOptions {
  seams: Seams;
  policy: AddressPolicy;
  tls: ClientTls;
  /** Archives are packed and fetched there: on the disk of the indexes, emptied at each start. */
  temporaryDirectory: string;
}

/** http: and https: URIs: one archive on a web server, sent by PUTs and fetched by GETs of ranges. */
export function httpPlaces(options: HttpPlacesOptions): SchemePlaces {
  const { seams, policy, tls, temporaryDirectory } = options;
  let inbound = 0;

  function peerOf(uri: HttpUri, role: string, bearer: string | undefined): Peer {
    return openPeer(uri, { role, policy, tls, ...(bearer !== undefined && { bearer }) });
  }

  /** Nothing of the request is tried, but what can be told from its text alone is told at once. */
  function check(text: string, role: string, bearer: string | undefined): HttpUri {
    if (bearer !== undefined && !/^[\x21-\x7e]+$/.test(bearer)) {
      throw new HostError("REQUEST_INVALID", "The bearer holds characters that no header may hold.", { metadata: { field: "bearer" } });
    }
    const uri = parseHttpUri(text);
    peerOf(uri, role, undefined).close();
    return uri;
  }

  return {
    async destination({ destination, bearer, verify }) {
      const uri = check(destination, "The destination", bearer);
      return {
        target: uri.shown,
        uri: uri.shown,
        container: "STREAM",
        open: (signal, report) => openWriter(options, uri, () => peerOf(uri, "The destination", bearer), verify, signal, report),
      };
    },
    async source(text, bearer) {
      const uri = check(text, "The source", bearer);
      return {
        uri: uri.shown,
        container: "STREAM",
        async open(signal, report) {
          if (inbound >= limits.transfersInbound) throw new HostError("OPERATION_LIMIT", `${inbound} sources are being read, as many as the host allows; wait for one to end.`);
          inbound += 1;
          try {
            return await openReader(seams, temporaryDirectory, peerOf(uri, "The source", bearer), uri, signal, report, () => void (inbound -= 1));
          } catch (error) {
            inbound -= 1;
            throw error;
          }
        },
      };
    },
  };
}

async function openReader(
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
    const sink = await openFileSink(seams, path, temporaryDirectory, peer.name, (bytesDone, bytesTotal) => report({ bytesDone, bytesTotal }));
    try {
      await download(seams, peer, sink, limits.transferRequests, signal);
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

async function openWriter(
  { seams, temporaryDirectory }: HttpPlacesOptions,
  uri: HttpUri,
  connect: () => Peer,
  verify: boolean | undefined,
  signal: AbortSignal,
  report: Report,
): Promise<ContainerWriter> {
  // Two backups that send to one file would leave a mix of both.
  const key = createHash("sha256").update(`${uri.authority.toLowerCase()}${uri.target}`).digest("hex").slice(0, 32);
  const lease = await acquireLease(seams, join(temporaryDirectory, `${temporaryPrefix}${key}.lease`), signal).catch((error: unknown) => {
    if (!(error instanceof HostError) || error.reason !== "DESTINATION_BUSY") throw error;
    throw new HostError("DESTINATION_BUSY", `Another backup goes to ${uri.shown}; try again when it is done.`, { cause: error });
  });
  const own = seams.randomHex(8);
  try {
    const writer = await openArchiveWriter(seams, {
      unfinished: join(temporaryDirectory, `${temporaryPrefix}packed-${own}.zip`),
      staging: join(temporaryDirectory, `${temporaryPrefix}packing-${own}`),
      // Each archive is whole: what is at the destination is not asked for.
      existing: [],
      holds: () => false,
      async publish(archive, publishSignal) {
        const peer = connect();
        try {
          return await send(seams, peer, archive, verify, publishSignal, report);
        } finally {
          peer.close();
        }
      },
      release: () => lease.release(),
    });
    return {
      ...writer,
      async commit(staged, manifest, commitOptions) {
        // Stored, an archive is as large as what is in it.
        const needed = staged.reduce((sum, { segment }) => sum + segment.sizeBytes, manifest.bytes.length);
        const free = await seams.files.freeBytes(temporaryDirectory);
        if (free < needed) {
          throw new HostError("STORAGE_FULL", `The backup is packed here before it is sent: that may take ${needed} bytes on the disk of the data directory, and ${free} are free. Nothing was sent.`);
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
  seams: Seams,
  peer: Peer,
  archive: { path: string; sizeBytes: number; sha256: string },
  verify: boolean | undefined,
  signal: AbortSignal,
  report: Report,
): Promise<{ verified: boolean; warnings: string[] }> {
  const { sizeBytes } = archive;
  let bytesDone = 0;
  report({ stage: "uploading", bytesDone, bytesTotal: sizeBytes });
  await upload(seams, peer, archive, signal, (count) => report({ bytesDone: (bytesDone += count) }));
  if (verify === false) return { verified: false, warnings: ["What was sent was not read back, as the request wants it."] };
  report({ stage: "reading back", bytesDone: 0 });
  const status = await readBack(seams, peer, archive, signal, (done) => report({ bytesDone: done }));
  if (status === undefined) return { verified: true, warnings: [] };
  const problem = `${peer.name} took everything but does not let it be read (it answered GET with ${status}), so that nobody knows whether it arrived whole`;
  if (verify) throw new HostError("DESTINATION_REFUSED", `${problem}. The request wants it verified.`, { metadata: { status } });
  return { verified: false, warnings: [`${problem}.`] };
}
