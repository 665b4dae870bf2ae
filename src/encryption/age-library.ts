import type * as ageEncryption from "age-encryption";
import { setImmediate } from "node:timers/promises";

/** The package that reads and writes headers of age files. */
export type AgeLibrary = typeof ageEncryption;

/** Loads the package. Hosts without encryption do not need it in memory. */
export function loadAge(): Promise<AgeLibrary> {
  return import("age-encryption");
}

/**
 * A recipient and identity without effect that lets the event loop run. The package wraps and
 * unwraps keys synchronously.
 */
export const pause = {
  async wrapFileKey(): Promise<never[]> {
    await setImmediate();
    return [];
  },
  async unwrapFileKey(): Promise<null> {
    await setImmediate();
    return null;
  },
};
