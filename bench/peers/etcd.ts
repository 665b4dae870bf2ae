import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../local-store.js";
import { findProgram, run, startProgram } from "../process-tools.js";
import { httpWork, timed, untilOk, type Peer, type Store } from "./store.js";

/** A cluster of one etcd, through its JSON gateway. */
export function etcd(): Peer[] {
  const server = findProgram("etcd");
  const control = findProgram("etcdctl");
  if (server === undefined || control === undefined) {
    process.stderr.write("SKIPPED: etcd (Debian: etcd-server, etcd-client) is not installed.\n");
    return [];
  }
  return [{ name: "etcd", start: (directory) => start(server, control, directory) }];
}

async function start(server: string, control: string, directory: string): Promise<Store> {
  mkdirSync(directory);
  const ctl = (...args: string[]) => run(control, args, { ETCDCTL_API: "3" });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const member = startMember(server, join(directory, "data"), url, await peerUrl());
  await untilReadable(url, "/bench/d0");
  const http = httpWork(port, { dialect: "etcd" });
  const snapshot = () => join(directory, `snapshot-${snapshots}`);
  let snapshots = 0;
  let restores = 0;
  let count = 0;
  return {
    ...http,
    load: (documents) => http.load((count = documents)),
    fullBackup() {
      snapshots += 1;
      return timed(() => ctl("--endpoints", url, "snapshot", "save", snapshot()));
    },
    async restoreDirectory() {
      const data = join(directory, `restored-${(restores += 1)}`);
      const restoredUrl = `http://127.0.0.1:${await freePort()}`;
      const peers = await peerUrl();
      const begun = performance.now();
      await ctl("snapshot", "restore", snapshot(), "--data-dir", data, ...cluster(peers));
      const restored = startMember(server, data, restoredUrl, peers);
      await untilReadable(restoredUrl, `/bench/d${count - 1}`, '"value"');
      const time = performance.now() - begun;
      await restored.stop();
      return time;
    },
    stop: member.stop,
  };
}

const peerUrl = async () => `http://127.0.0.1:${await freePort()}`;

const cluster = (peers: string) => [
  ...["--name", "default", "--initial-cluster", `default=${peers}`],
  ...["--initial-advertise-peer-urls", peers],
];

function startMember(server: string, data: string, url: string, peers: string) {
  return startProgram(server, [
    ...["--data-dir", data, "--quota-backend-bytes", String(8 * 1024 ** 3)],
    ...["--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peers],
    ...cluster(peers),
  ]);
}

/** Until etcd answers a request for a key: with a success, whether it is there or not, or with its value. */
const untilReadable = (url: string, key: string, contains?: '"value"') =>
  untilOk(`${url}/v3/kv/range`, contains, {
    method: "POST",
    body: JSON.stringify({ key: Buffer.from(key).toString("base64") }),
  });
