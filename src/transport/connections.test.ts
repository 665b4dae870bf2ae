import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";
import type { Client } from "../security/clients.js";
import { connectionLimits, type ConnectionLimits, Connections } from "./connections.js";
import { eventually } from "../../test/support/eventually.js";

const small: ConnectionLimits = {
  total: 8,
  unauthenticated: 4,
  unauthenticatedPerNetwork: 3,
  perClient: 5,
  idleMs: 60_000,
};
const client = (key: string): Client => ({ key, authenticated: true, admin: false });

let listener: Server;
let connections: Connections;
let shed = 0;
const dialled: Socket[] = [];
async function begin(most: ConnectionLimits): Promise<void> {
  shed = 0;
  connections = new Connections(most, (count) => (shed += count));
  listener = createServer((socket) =>
    connections.add(socket.resume().on("error", () => undefined)),
  );
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
}
afterEach(() => {
  for (const socket of dialled.splice(0)) socket.destroy();
  connections.stop();
  listener.close();
});

async function dial(from = "127.0.0.1"): Promise<Socket & { localPort: number }> {
  const { port } = listener.address() as AddressInfo;
  const socket = connect({ port, host: "127.0.0.1", localAddress: from })
    .on("error", () => undefined)
    .resume();
  dialled.push(socket);
  await new Promise((resolve) => socket.once("connect", resolve));
  await eventually(() => connections.find(from, socket.localPort) !== undefined);
  return socket as Socket & { localPort: number };
}
async function known(key: string, from = "127.0.0.1"): Promise<Socket> {
  const socket = await dial(from);
  const connection = connections.find(from, socket.localPort);
  if (connection) connections.identified(connection, client(key), "t");
  return socket;
}
const open = (sockets: Socket[]) => sockets.map(({ closed }) => !closed);

test("closes the oldest unauthenticated connection above the limit per network or in total", async () => {
  await begin(small);
  const own: Socket[] = [];
  for (let i = 0; i < 4; i++) own.push(await dial());
  await eventually(() => own[0]?.closed === true);
  expect(open(own)).toEqual([false, true, true, true]);
  const others = [await dial("127.0.0.2"), await dial("127.0.0.3")];
  await eventually(() => own[1]?.closed === true);
  expect(open(own)).toEqual([false, false, true, true]);
  expect(open(others)).toEqual([true, true]);
  expect(connections.count()).toBe(4);
  await eventually(() => shed === 2);
});

test("keeps the connections of an authenticated client, up to its limit", async () => {
  await begin(small);
  const mine: Socket[] = [];
  for (let i = 0; i < 5; i++) mine.push(await known("token 1"));
  for (let i = 0; i < 20; i++) await dial(`127.0.0.${2 + (i % 5)}`);
  expect(open(mine)).toEqual([true, true, true, true, true]);
  mine.push(await known("token 1", "127.0.0.9"));
  await eventually(() => mine[0]?.closed === true);
  expect(open(mine)).toEqual([false, true, true, true, true, true]);
});

test("accepts a new client on a full port by closing a connection of the client that has most", async () => {
  await begin(small);
  const many: Socket[] = [];
  for (let i = 0; i < 5; i++) many.push(await known("token 1"));
  const few: Socket[] = [];
  for (let i = 0; i < 3; i++) few.push(await known("token 2"));
  few.push(await known("token 3"));
  await eventually(() => many[0]?.closed === true);
  expect(open(many)).toEqual([false, true, true, true, true]);
  expect(open(few)).toEqual([true, true, true, true]);
});

test("closes idle unauthenticated connections, but not active or authenticated ones", async () => {
  await begin({ ...small, idleMs: 100 });
  const silent = await dial();
  const asking = await dial("127.0.0.2");
  const connection = connections.find("127.0.0.2", asking.localPort);
  if (connection) connections.begin(connection);
  const idle = await known("token 1", "127.0.0.3");
  await eventually(() => silent.closed);
  expect(open([asking, idle])).toEqual([true, true]);
  if (connection) connections.end(connection);
  await eventually(() => asking.closed);
  expect(connections.count()).toBe(1);
});

test("limits a port to a quarter of the file descriptors of the process", () => {
  expect(connectionLimits(1024)).toMatchObject({
    total: 256,
    unauthenticated: 128,
    unauthenticatedPerNetwork: 64,
    perClient: 128,
  });
  expect(connectionLimits()).toMatchObject({ total: 4096 });
});
