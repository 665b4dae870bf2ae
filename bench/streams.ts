import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { create, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { GetDocumentRequestSchema } from "../gen/ts/holdfast/document/v1/document_pb.js";
import {
  StreamBackupRequestSchema,
  StreamRestoreRequestSchema,
} from "../gen/ts/holdfast/management/v1/management_pb.js";
import { compare } from "./compare.js";
import { manage } from "./management.js";
import { plainStore } from "./plain-store.js";
import {
  load,
  serve,
  stream,
  watchMemory,
  type Served,
  type StreamResult,
} from "./process-tools.js";
import { median, memoryRow, mib, ms, row } from "./table.js";

const MiB = 1024 * 1024;
const chunkBytes = 1 * MiB;
const management = "/holdfast.management.v1.ManagementService";

const encoded = <Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>) =>
  Buffer.from(toBinary(schema, create(schema, init))).toString("base64");
const perSecond = ({ bytes, ms: all, firstMs }: StreamResult) => (bytes / (all - firstMs)) * 1000;
const rate = (bytesPerSecond: number) => `${mib(bytesPerSecond)}/s`;

/** A finished archive among the transfers of a data directory that no host has open: what is measured is its way, not its making. */
function placeArchive(
  dataDirectory: string,
  name: string,
  sizeBytes: number,
  sparse: boolean,
): string {
  const directory = join(dataDirectory, "transfers");
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${name}.bin`);
  const hash = createHash("sha256");
  const file = openSync(path, "w");
  if (sparse) truncateSync(path, sizeBytes);
  else {
    for (let position = 0; position < sizeBytes; position += MiB) {
      const bytes = randomBytes(MiB);
      hash.update(bytes);
      writeSync(file, bytes, 0, MiB, position);
    }
  }
  closeSync(file);
  const record = {
    name,
    direction: "download",
    sizeBytes,
    committedBytes: sizeBytes,
    complete: true,
    sha256: hash.digest("hex"),
    createTimeMicros: Date.now() * 1000,
  };
  writeFileSync(join(directory, `${name}.json`), JSON.stringify(record));
  return path;
}

export async function benchStreams(root: string): Promise<void> {
  const dataDirectory = join(root, "streams");
  placeArchive(dataDirectory, "huge", 2048 * MiB + 12_345, true);
  const archiveBytes = 256 * MiB;
  const servers = await streamServers(dataDirectory, archiveBytes);
  await compareStreams(servers, archiveBytes);
  await compareCalls(servers, 3000);
  await memory(servers.host);
  await wholeWork(servers.host, root);
  await servers.close();
}

/** A host with a finished archive among its transfers, and bare servers of the same bytes. */
export interface StreamServers {
  host: Served;
  bare: Served;
  close(): Promise<void>;
}

export async function streamServers(
  dataDirectory: string,
  archiveBytes: number,
): Promise<StreamServers> {
  const archive = placeArchive(dataDirectory, "archive", archiveBytes, false);
  const bare = await serve("bare-streams.mjs", archive, String(chunkBytes));
  const host = await serve("host-process.mjs", dataDirectory);
  return {
    host,
    bare,
    async close() {
      await host.close();
      await bare.close();
    },
  };
}

const down = (host: Served, name: string, more: object = {}) =>
  stream("down", {
    port: host.grpcPort,
    path: `${management}/StreamBackup`,
    request: encoded(StreamBackupRequestSchema, { transferName: `transfers/${name}` }),
    ...more,
  });

/** StreamRestore that receives and checks, and restores nothing: zeros are no archive, which it says when all has come. */
function up(host: Served, bytes: number): Promise<StreamResult> {
  const hash = createHash("sha256");
  const body = Buffer.alloc(chunkBytes, 7);
  for (let offset = 0; offset < bytes; offset += chunkBytes)
    hash.update(body.subarray(0, Math.min(chunkBytes, bytes - offset)));
  const message = (value: MessageInitShape<typeof StreamRestoreRequestSchema>["message"]) =>
    encoded(StreamRestoreRequestSchema, { message: value });
  return stream("up", {
    port: host.grpcPort,
    path: `${management}/StreamRestore`,
    framed: true,
    failureIsFine: true,
    first: [message({ case: "header", value: { validateOnly: true } })],
    last: [
      message({ case: "trailer", value: { sizeBytes: BigInt(bytes), sha256: hash.digest("hex") } }),
    ],
    chunkBytes,
    bytes,
  });
}

const connectStream = (host: Served) => {
  const message = Buffer.from(
    encoded(StreamBackupRequestSchema, { transferName: "transfers/archive" }),
    "base64",
  );
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  const body = Buffer.concat([head, message]).toString("base64");
  return stream("http", {
    port: host.port,
    path: `${management}/StreamBackup`,
    method: "POST",
    headers: { "content-type": "application/connect+proto", "connect-protocol-version": "1" },
    body,
  });
};

/** StreamBackup, StreamRestore and the download beside bare streams of as many bytes. */
export async function compareStreams(
  { host, bare }: StreamServers,
  archiveBytes: number,
): Promise<void> {
  const size = Buffer.alloc(8);
  size.writeDoubleLE(archiveBytes);
  const bareDown = async (method = "Down") =>
    perSecond(
      await stream("down", {
        port: bare.grpcPort,
        path: `/bench.Bare/${method}`,
        request: size.toString("base64"),
      }),
    );
  const bareUp = async () =>
    perSecond(
      await stream("up", {
        port: bare.grpcPort,
        path: "/bench.Bare/Up",
        first: [],
        last: [],
        chunkBytes,
        bytes: archiveBytes,
      }),
    );
  const get = async (port: number, path: string) => perSecond(await stream("http", { port, path }));
  await compare({
    work: "StreamBackup from the first chunk on",
    mark: ">= 0.85",
    what: "bare grpc-js, same chunks",
    show: rate,
    ours: async () => perSecond(await down(host, "archive")),
    reference: () => bareDown(),
  });
  await compare({
    work: "StreamBackup from the first chunk on, beside the same reads",
    what: "bare grpc-js, same file and checksums",
    show: rate,
    ours: async () => perSecond(await down(host, "archive")),
    reference: () => bareDown("File"),
  });
  await compare({
    work: "the same by Connect's server (HTTP/1.1)",
    what: "bare grpc-js, same chunks",
    show: rate,
    ours: async () => perSecond(await connectStream(host)),
    reference: () => bareDown(),
  });
  await compare({
    work: "StreamRestore's receiving, digest checked",
    mark: ">= 0.6",
    what: "bare client stream",
    show: rate,
    ours: async () => perSecond(await up(host, archiveBytes)),
    reference: bareUp,
  });
  await compare({
    work: "REST download",
    mark: ">= 0.7",
    what: "file to socket by node:http",
    show: rate,
    ours: () => get(host.port, "/v1/transfers/archive:download"),
    reference: () => get(bare.port, "/"),
  });
}

/** GetDocument beside an echo of the same size, and beside grpc-js with the same messages. */
export async function compareCalls(
  { host, bare }: StreamServers,
  durationMs: number,
): Promise<void> {
  for (const bytes of [500, 4096]) {
    await load(host.port, { count: 1, bytes, first: bytes, connections: 1 });
    const settings = { concurrency: 32, durationMs };
    const calls = async (port: number, path: string, request: string) => {
      const { count, ms: all } = await stream("unary", { ...settings, port, path, request });
      return (count / all) * 1000;
    };
    const request = encoded(GetDocumentRequestSchema, { selfLink: `/bench/d${bytes}` });
    const getDocument = "/holdfast.document.v1.DocumentService/GetDocument";
    const ours = () => calls(host.grpcPort, getDocument, request);
    // Until its code is compiled.
    await ours();
    const work = `unary GetDocument, ${bytes} B, 32 at once`;
    const compared = {
      show: (value: number) => `${value.toFixed(0)}/s`,
      ours,
    };
    await compare({
      ...compared,
      work,
      mark: ">= 0.85",
      what: "bare grpc-js echo",
      reference: () =>
        calls(bare.grpcPort, "/bench.Bare/Echo", Buffer.alloc(bytes, 7).toString("base64")),
    });
    const document = await fetch(`http://127.0.0.1:${host.port}/v1/documents/bench/d${bytes}`);
    const same = await serve("bare-documents.ts", await document.text());
    const bareDocument = () => calls(same.grpcPort, "/bench.Bare/GetDocument", request);
    await bareDocument();
    await compare({
      ...compared,
      work: `${work}, beside the same messages`,
      what: "bare grpc-js",
      reference: bareDocument,
    });
    await same.close();
  }
}

async function memory(host: Served): Promise<void> {
  const pid = host.child.pid ?? 0;
  const watch = async (work: string, run: () => Promise<StreamResult>) => {
    const { result, memory: grown } = await watchMemory(pid, run);
    memoryRow(`${work} (${mib(result.bytes)} in ${ms(result.ms)})`, grown);
  };
  await watch("StreamBackup to a reader that pauses 20 ms at each chunk", () =>
    down(host, "archive", { pauseMs: 20 }),
  );
  await watch("REST download by a reader that pauses", () =>
    stream("http", { port: host.port, path: "/v1/transfers/archive:download", pauseMs: 1 }),
  );
  await watch("StreamBackup of 2 GiB", () => down(host, "huge"));
  await watch("StreamRestore of 2 GiB, received", () => up(host, 2048 * MiB));
}

/** A backup of 100,000 documents as a stream, and as PUTs to a plain store on the same machine. */
async function wholeWork(host: Served, root: string): Promise<void> {
  await load(host.port, { count: 100_000, bytes: 500, first: 1_000_000 });
  const request = encoded(StreamBackupRequestSchema, {});
  const spooled = await stream("down", {
    port: host.grpcPort,
    path: `${management}/StreamBackup`,
    request,
  });
  row(
    `StreamBackup of 100,000 x 500 B, spooled (${mib(spooled.bytes)}) until the first chunk`,
    ms(spooled.firstMs),
    "",
    undefined,
    "",
  );
  const store = await plainStore(join(root, "store.zip"));
  const zips: number[] = [];
  const streams: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    zips.push(
      await manage(host.port, "BackupRequest", {
        destination: `file:${join(root, "same.zip")}`,
        backupType: "ZIP",
      }),
    );
    streams.push(
      await manage(host.port, "BackupRequest", {
        destination: `http://127.0.0.1:${store.port}/store.zip`,
        backupType: "STREAM",
      }),
    );
  }
  row(
    `STREAM of 100,000 x 500 B to a plain store, read back, ${mib(statSync(join(root, "store.zip")).size)}`,
    ms(median(streams)),
    `ZIP to a file: ${ms(median(zips))}`,
    median(zips) / median(streams),
    "Xenon: see the text",
  );
  await store.close();
}
