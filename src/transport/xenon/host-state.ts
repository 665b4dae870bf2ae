import { availableParallelism, freemem, platform, totalmem } from "node:os";
import { pathToFileURL } from "node:url";
import { isLoopback } from "../../security/hosts.js";
import type { HostDescription } from "../../service/management-service.js";

/**
 * The answer to GET /core/management: the host under Xenon's names. Xenon sends its whole table of environment
 * variables to anyone who asks; nothing of the environment is in here.
 */
export function hostStateText(host: HostDescription, authorization: boolean): string {
  const { address, port } = splitAddress(host.httpAddress);
  const primary = host.indexes.find((index) => !index.inMemory);
  return JSON.stringify({
    bindAddress: address,
    httpPort: host.tls ? -1 : port,
    httpsPort: host.tls ? port : -1,
    storageSandboxFileReference: pathToFileURL(host.dataDirectory).href,
    autoBackupDirectoryReference: pathToFileURL(host.autoBackupDirectory).href,
    id: host.id,
    isPeerSynchronizationEnabled: false,
    isAuthorizationEnabled: authorization,
    systemInfo: {
      availableProcessorCount: availableParallelism(),
      freeMemoryByteCount: freemem(),
      totalMemoryByteCount: totalmem(),
      osName: platform(),
    },
    isProcessOwner: true,
    isAutoBackupEnabled: false,
    isLoopbackOnly: isLoopback(address),
    productVersion: host.version,
    startTimeMicros: host.startTimeMicros,
    grpcAddress: host.grpcAddress,
    dataDirectory: host.dataDirectory,
    backupRoots: host.backupRoots,
    indexes: host.indexes.map((index) => ({
      indexServiceLink: index.link,
      isInMemory: index.inMemory,
      indexId: index.indexId,
      lineage: index.lineage,
      formatVersion: index.formatVersion,
      documentCount: index.documents,
      versionCount: index.versions,
      byteCount: index.sizeBytes,
      positionMicros: index.positionMicros,
      restorableWindow: {
        earliestMicros: index.window.earliestMicros,
        latestMicros: index.window.latestMicros,
        ...(index.window.boundingLink !== undefined && { boundingLink: index.window.boundingLink }),
      },
    })),
    documentVersion: 0,
    documentKind: "com:vmware:xenon:common:ServiceHost:ServiceHostState",
    documentSelfLink: "/core/management",
    documentUpdateTimeMicros: Math.max(host.startTimeMicros, primary?.positionMicros ?? 0),
    documentExpirationTimeMicros: 0,
  });
}

/** 127.0.0.1:8000 and [::1]:8000 */
function splitAddress(text: string): { address: string; port: number } {
  const colon = text.lastIndexOf(":");
  if (colon < 0) return { address: text, port: 0 };
  return { address: text.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(text.slice(colon + 1)) };
}
