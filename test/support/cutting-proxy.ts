import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A proxy between a client and a host that cuts connections on request. */
export interface CuttingProxy {
  address: string;
  /** Cuts a connection once, after the given number of further bytes in that direction. */
  cutAfter(way: "up" | "down", bytes: number): void;
  /** The number of connections cut. */
  cuts(): number;
  /** Cuts all open connections. */
  cutAll(): void;
  /** Redirects later connections to this port. */
  leadTo(port: number): void;
  close(): Promise<void>;
}

export async function cuttingProxy(port: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let target = port;
  let armed: { way: "up" | "down"; left: number } | undefined;
  let cuts = 0;
  const carry = (way: "up" | "down", from: Socket, to: Socket) => {
    sockets.add(from);
    from.on("data", (chunk) => {
      if (armed?.way === way && (armed.left -= chunk.length) <= 0) {
        armed = undefined;
        cuts += 1;
        from.destroy();
        to.destroy();
        return;
      }
      if (!to.write(chunk)) from.pause();
    });
    to.on("drain", () => from.resume());
    from.on("error", () => to.destroy());
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
  };
  const server = createServer((client) => {
    const host = connect(target, "127.0.0.1");
    carry("up", client, host);
    carry("down", host, client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutAfter: (way, bytes) => void (armed = { way, left: bytes }),
    cuts: () => cuts,
    cutAll: () => sockets.forEach((socket) => socket.destroy()),
    leadTo: (next) => void (target = next),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        sockets.forEach((socket) => socket.destroy());
      }),
  };
}
