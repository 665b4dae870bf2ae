import { limits } from "../../limits.js";
import type { Hold } from "../../security/shares.js";

const headBytes = 5;

/**
 * Accounts for the bytes of a call's messages as they arrive: grpc-js buffers each message and
 * exposes it only when it is complete. A compressed message is charged at the maximum message size.
 */
export class FrameMeter {
  private readonly head = Buffer.alloc(headBytes);
  private headed = 0;
  private rest = 0;
  /** Charge of each message that was not consumed yet, oldest first. */
  private readonly charges: number[] = [];

  constructor(private readonly hold: Hold) {}

  /** Bytes of messages received, wholly or in part, but not consumed. */
  get waitingBytes(): number {
    return this.charges.reduce((sum, charge) => sum + charge, 0);
  }

  /** Accounts for received bytes. Throws the error of the hold. */
  push(chunk: Buffer): void {
    this.hold.add(chunk.length);
    let at = 0;
    while (at < chunk.length) {
      if (this.rest > 0) {
        const taken = Math.min(this.rest, chunk.length - at);
        this.rest -= taken;
        at += taken;
        continue;
      }
      const copied = chunk.copy(
        this.head,
        this.headed,
        at,
        Math.min(chunk.length, at + headBytes - this.headed),
      );
      this.headed += copied;
      at += copied;
      if (this.headed < headBytes) continue;
      this.headed = 0;
      this.rest = this.head.readUInt32BE(1);
      const unpacked = this.head[0] === 0 ? 0 : limits.grpcMessageBytes;
      if (unpacked > 0) this.hold.add(unpacked);
      this.charges.push(headBytes + this.rest + unpacked);
    }
  }

  /** Releases the charge of the oldest message after it was consumed. */
  taken(): void {
    this.hold.free(this.charges.shift() ?? 0);
  }
}
