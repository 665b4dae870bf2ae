/** Bytes before the content of a roomy buffer. */
const room = 64;

/** The memory of roomy buffers whose room is unused. */
const unused = new WeakSet<ArrayBufferLike>();

/** Allocates a buffer with room before it, so that `withHead` need not copy its content. Not initialized. */
export function allocateRoomy(bytes: number): Buffer {
  const whole = Buffer.allocUnsafeSlow(room + bytes);
  unused.add(whole.buffer);
  return whole.subarray(room);
}

/** Returns a head and a content as one buffer: in the room of a roomy content, the first time, or else as a copy. */
export function withHead(head: Uint8Array, content: Uint8Array): Buffer {
  const { buffer, byteOffset, length } = content;
  if (byteOffset !== room || head.length > room || !unused.delete(buffer))
    return Buffer.concat([head, content]);
  const whole = Buffer.from(buffer, room - head.length, head.length + length);
  whole.set(head);
  return whole;
}
