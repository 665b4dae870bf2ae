import type { Metadata } from "@grpc/grpc-js";

/** What charges the answers of calls, by the metadata object of the call, which grpc-js passes through. */
const answers = new WeakMap<Metadata, (bytes: number) => void>();

/** Sets what charges the answer to a call. */
export function setHeldAnswer(metadata: Metadata, hold: (bytes: number) => void): void {
  answers.set(metadata, hold);
}

/** Charges memory of the answer to a call to its client, until the call has ended. OVERLOADED. */
export function holdAnswer(metadata: Metadata, bytes: number): void {
  answers.get(metadata)?.(bytes);
}
