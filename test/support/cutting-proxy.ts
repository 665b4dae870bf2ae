import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** Stands between a client and a host, and cuts connections on request. */
export interface CuttingProxy {
  address: string;
  /** Cuts the connection that has carried so many more bytes that way, once. */
  cutAfter(way: "up" | "down", bytes: number): void;
  /** How many connections it has cut. */
  cuts(): number;
  /** Cuts all that are open. */
  cutAll(): void;
  /** From now on connections go to this port. */
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
