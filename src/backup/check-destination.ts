import type { Destination, StoreFeature } from "../destination/destination.js";
import { readObject, requireCapability } from "../destination/objects.js";
import { HostError } from "../errors.js";
import { temporaryPrefix } from "../io/durable-file.js";
import type { Platform } from "../io/platform.js";

/** What a destination supports and enforces. */
export interface DestinationCheck {
  /** Without credentials. */
  uri: string;
  features: readonly StoreFeature[];
  /** Whether other hosts cannot back up to the destination at the same time. */
  exclusive: boolean;
  freeBytes?: number;
}

/**
 * Checks a destination of incremental backups: under its lock, writes a small object, reads it back, lists
 * and removes it. Throws NOT_SUPPORTED for a destination that only takes archives, and the errors that a
 * backup would have.
 */
export async function checkDestination(
  platform: Pick<Platform, "randomHex">,
  destination: Destination,
  signal: AbortSignal,
): Promise<DestinationCheck> {
  requireCapability(destination, "list", "check whether incremental backups work");
  requireCapability(destination, "remove", "check whether incremental backups work");
  const probed = await destination.probe?.(signal);
  const lock = await destination.lock(undefined, signal);
  try {
    const name = `${temporaryPrefix}check-${platform.randomHex(8)}`;
    const tried = await tryObject(destination, name, lock.signal).finally(() =>
      destination.remove([name], { signal, lock }),
    );
    const freeBytes = await destination.freeBytes?.();
    return {
      uri: destination.uri,
      features: probed ?? tried,
      exclusive: destination.capabilities.lock === "everyone",
      ...(freeBytes !== undefined && { freeBytes }),
    };
  } finally {
    await lock.release();
    await destination.close();
  }
}

async function tryObject(
  destination: Destination,
  name: string,
  signal: AbortSignal,
): Promise<StoreFeature[]> {
  const put = (text: string, more: { ifVersion?: string | null } = {}) => {
    const bytes = Buffer.from(text);
    const options = { sizeBytes: bytes.length, sha256: "", signal, ...more };
    return destination.put(name, { bytes }, options);
  };
  await put("1");
  const stored = await readObject(destination, name, 1, signal);
  if (stored.toString("latin1") !== "1") {
    throw new HostError(
      "DESTINATION_FAILED",
      `${destination.displayName(name)} does not contain what was written. Check the storage.`,
    );
  }
  const refuses = async (ifVersion: string | null) => {
    if (!destination.capabilities.conditionalPut) return false;
    try {
      await put("2", { ifVersion });
      return false;
    } catch (error) {
      if (error instanceof HostError && error.reason === "DESTINATION_OCCUPIED") return true;
      throw error;
    }
  };
  let isListed = false;
  for await (const entry of destination.list({ signal })) if (entry.name === name) isListed = true;
  return [
    { name: "conditional create", enforced: await refuses(null) },
    { name: "conditional update", enforced: await refuses("another version") },
    { name: "list consistency", enforced: isListed },
    { name: "object lock", enforced: destination.capabilities.objectLock },
  ];
}
