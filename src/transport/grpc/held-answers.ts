import type { Metadata } from "@grpc/grpc-js";

/**
 * What charges the answer to a call. Stored on the metadata of the call, which grpc-js passes through: a weak map with
 * an entry for each call costs the garbage collector more than the call.
 */
const charging = Symbol("what charges the answer");
type Charged = Metadata & { [charging]?: (bytes: number) => void };

/** Sets what charges the answer to a call. */
export function setHeldAnswer(metadata: Charged, hold: (bytes: number) => void): void {
  metadata[charging] = hold;
}

/** Charges memory of the answer to a call to its client, until the call has ended. OVERLOADED. */
export function holdAnswer(metadata: Charged, bytes: number): void {
  metadata[charging]?.(bytes);
}
