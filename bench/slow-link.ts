import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A proxy on loopback for TCP that passes on a number of bytes per second, in each direction, of all connections together. */
export interface SlowLink {
  port: number;
  close(): Promise<void>;
}

/** Starts a proxy in front of a port. */
export async function slowLink(target: number, bytesPerSecond: number): Promise<SlowLink> {
  const sockets = new Set<Socket>();
  const forward = async (from: Socket, to: Socket, reserve: (bytes: number) => number) => {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      await sleep(reserve(chunk.length));
      if (!to.write(chunk)) await new Promise((drained) => to.once("drain", drained));
    }
    to.end();
  };
  const [up, down] = [pace(bytesPerSecond), pace(bytesPerSecond)];
  const server = createServer((near) => {
    const far = connect(target, "127.0.0.1");
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy()).on("close", () => sockets.delete(socket));
    }
    forward(near, far, up).catch(() => far.destroy());
    forward(far, near, down).catch(() => near.destroy());
  });
  server.listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** Returns a function that reserves time on the link for bytes, and returns the milliseconds until it is over. */
function pace(bytesPerSecond: number): (bytes: number) => number {
  let freeAt = 0;
  return (bytes) => {
    const now = performance.now();
    freeAt = Math.max(freeAt, now) + (bytes / bytesPerSecond) * 1000;
    return freeAt - now;
  };
}
