import { truncateSync, writeFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemPlatform } from "../../src/io/platform.js";
import { limits } from "../../src/limits.js";
import { download } from "../../src/destination/http/download.js";
import { openFileSink } from "../../src/destination/network/file-sink.js";
import { parseHttpUri } from "../../src/destination/http/uri.js";
import { openHttpFileClient } from "../../src/destination/http/client.js";
import { HttpDestination } from "../../src/destination/http/destination.js";
import { readBack } from "../../src/destination/objects.js";
import { upload } from "../../src/destination/http/upload.js";
import { discardingStore } from "../support/discarding-store.js";
import { long } from "../support/long.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const never = new AbortController().signal;
const sizeBytes = (long ? 2 ** 31 : 2 ** 28) + 12_345;
/** Digest of that many zero bytes. */
const sha256 = long
  ? "818e2054922b534ddf65fdd2032023dd2bbc744543f4af2ed516e706a91481ab"
  : "25020d9458d68a4237e1667409a8c232858904f2146293b2a07936ddce7b4b22";

test(`transfers a file of more than ${long ? "2 GiB" : "256 MiB"} in both directions in exact ranges with bounded memory`, async () => {
  const store = await discardingStore();
  const directory = temporaryDirectory();
  const path = join(directory, "sparse");
  writeFileSync(path, "");
  truncateSync(path, sizeBytes);
  const uri = parseHttpUri(store.url);
  const policy = { allowPrivate: true, allowed: [] };
  const connect = () => openHttpFileClient(uri, { role: "The store", policy, tls: {} });
  const client = connect();
  let most = process.memoryUsage.rss();
  const before = most;
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 20);
  try {
    let sent = 0;
    await upload(
      systemPlatform,
      client,
      { body: { path }, sizeBytes, sha256 },
      never,
      (count) => (sent += count),
    );
    expect(sent).toBe(sizeBytes);
    expect(store.total()).toBe(sizeBytes);
    expect(store.problems).toEqual([]);
    expect(store.isWhole()).toBe(true);

    const destination = new HttpDestination({
      platform: systemPlatform,
      uri,
      connect,
      temporaryDirectory: directory,
    });
    await readBack(destination, "", { sizeBytes, sha256 }, never);

    let reported = [0, 0];
    const target = join(directory, "fetched");
    const sink = await openFileSink(
      systemPlatform,
      target,
      directory,
      client.name,
      (...progress) => (reported = progress),
    );
    expect(await download(systemPlatform, client, sink, limits.httpRequests, never)).toBe(
      sizeBytes,
    );
    await sink.close();
    expect(statSync(target).size).toBe(sizeBytes);
    expect(reported).toEqual([sizeBytes, sizeBytes]);
  } finally {
    clearInterval(timer);
    client.close();
    await store.close();
  }
  // Client and server share this process with the test runtime: the memory that awaits garbage collection varies by 200 MiB
  // between machines. Holding the bytes of 2 GiB would need four times this limit.
  expect(most - before).toBeLessThan(2 ** 29);
});
