import { availableParallelism, freemem, loadavg, platform, totalmem } from "node:os";
import { pathToFileURL } from "node:url";
import { isLoopback } from "../../security/hosts.js";
import { limits } from "../../limits.js";
import type { HostControl } from "../../service/host/host-control.js";
import type { AutoBackupStatus } from "../../backup/schedule/status.js";
import type { HostDescription } from "../../service/host/description.js";

/**
 * Renders the response to GET /core/management: the state of the host with Xenon's field names.
 * Unlike Xenon, it does not expose environment variables.
 */
export function hostStateText(
  host: HostDescription,
  control: HostControl,
  authorization: boolean,
): string {
  const { address, port } = splitAddress(host.httpAddress);
  const autoBackup = control.autoBackup();
  const sandbox = pathToFileURL(host.dataDirectory).href;
  const primary = host.indexes.find((index) => !index.inMemory);
  return JSON.stringify({
    bindAddress: address,
    httpPort: host.tls ? -1 : port,
    httpsPort: host.tls ? port : -1,
    publicUri: `http${host.tls ? "s" : ""}://${host.httpAddress}`,
    maintenanceIntervalMicros: limits.compactionIntervalMs * 1000,
    sslClientAuthMode: "NONE",
    operationTracingLevel: control.operationTracing().level,
    requestPayloadSizeLimit: limits.documentBytes,
    requestLoggingInfo: control.requestLogging(),
    storageSandboxFileReference: sandbox,
    storageSandboxFileUri: sandbox,
    autoBackupDirectoryReference: host.autoBackupDestination,
    id: host.id,
    isPeerSynchronizationEnabled: false,
    isAuthorizationEnabled: authorization,
    systemInfo: {
      availableProcessorCount: availableParallelism(),
      freeMemoryByteCount: freemem(),
      totalMemoryByteCount: totalmem(),
      maxMemoryByteCount: totalmem(),
      processMemoryByteCount: process.memoryUsage.rss(),
      systemLoadAverage: loadavg()[0],
      ipAddresses: [address],
      freeDiskByteCount: host.disk.freeBytes,
      usableDiskByteCount: host.disk.freeBytes,
      totalDiskByteCount: host.disk.totalBytes,
      osName: osNames[platform()] ?? platform(),
      osFamily:
        platform() === "win32"
          ? "WINDOWS"
          : platform() === "darwin"
            ? "MACOS"
            : platform() === "linux"
              ? "LINUX"
              : "OTHER",
    },
    isProcessOwner: true,
    isServiceStateCaching: true,
    codeProperties: {
      "product.name": "holdfast",
      "product.version": host.version,
      "node.version": process.versions.node,
    },
    serviceCount: host.indexes.reduce((sum, { documents }) => sum + documents, 0),
    isAutoBackupEnabled: autoBackup.enabled,
    autoBackup: autoBackupState(autoBackup),
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

const osNames: Partial<Record<NodeJS.Platform, string>> = {
  linux: "Linux",
  darwin: "Mac OS X",
  win32: "Windows",
};

/** Status of automatic backups; an extension of Xenon's API. */
export function autoBackupState({ lastError, destination, enabled, ...same }: AutoBackupStatus) {
  return {
    isEnabled: enabled,
    directoryReference: destination,
    ...same,
    ...(lastError && { lastError: { reason: lastError.reason, message: lastError.message } }),
  };
}

/** Parses 127.0.0.1:8000 and [::1]:8000. */
function splitAddress(text: string): { address: string; port: number } {
  const colon = text.lastIndexOf(":");
  if (colon < 0) return { address: text, port: 0 };
  return {
    address: text.slice(0, colon).replace(/^\[|\]$/g, ""),
    port: Number(text.slice(colon + 1)),
  };
}
