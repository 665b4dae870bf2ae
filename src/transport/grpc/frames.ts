import { limits } from "../../limits.js";
import type { Hold } from "../../security/shares.js";

const headBytes = 5;

/**
 * Accounts for the bytes of a call's messages while they come: grpc-js buffers each until it is whole, and tells only then. A
 * compressed message is taken to become as large as any may be.
 */
export class FrameMeter {
  private readonly head = Buffer.alloc(headBytes);
  private headed = 0;
  private rest = 0;
  /** What each message that was not taken yet is held for, the first that came first. */
  private readonly charges: number[] = [];

  constructor(private readonly hold: Hold) {}

  /** Bytes of messages that came, in whole or in part, and were not taken. */
  get waitingBytes(): number {
    return this.charges.reduce((sum, charge) => sum + charge, 0);
  }

  /** Throws what the hold throws. */
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

  /** The next message was taken by whoever reads the call. */
  taken(): void {
    this.hold.free(this.charges.shift() ?? 0);
  }
}
