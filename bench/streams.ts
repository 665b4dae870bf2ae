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
const archiveBytes = 256 * MiB;
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

/** Ratios of three rounds, reference and ours in turn: the median is told. */
async function compare(
  work: string,
  mark: string,
  ours: () => Promise<number>,
  reference: () => Promise<number>,
  show: (value: number) => string,
  what: string,
): Promise<void> {
  const rounds: { ours: number; reference: number }[] = [];
  for (let round = 0; round < 3; round += 1)
    rounds.push({ reference: await reference(), ours: await ours() });
  const middle = median(rounds.map((one) => one.ours / one.reference));
  const shown = rounds.find((one) => one.ours / one.reference === middle) ?? rounds[0];
  row(work, show(shown?.ours ?? 0), `${what}: ${show(shown?.reference ?? 0)}`, middle, mark);
}

export async function benchStreams(root: string): Promise<void> {
  const dataDirectory = join(root, "streams");
  const bare = await serve(
    "bare-streams.mjs",
    placeArchive(dataDirectory, "archive", archiveBytes, false),
    String(chunkBytes),
  );
  placeArchive(dataDirectory, "huge", 2048 * MiB + 12_345, true);
  const host = await serve("host-process.mjs", dataDirectory);
  await throughput(host, bare);
  await unary(host, bare);
  await memory(host);
  await wholeWork(host, root);
  await host.close();
  await bare.close();
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

async function throughput(host: Served, bare: Served): Promise<void> {
  const size = Buffer.alloc(8);
  size.writeDoubleLE(archiveBytes);
  const bareDown = async () =>
    perSecond(
      await stream("down", {
        port: bare.grpcPort,
        path: "/bench.Bare/Down",
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
  await compare(
    "StreamBackup from the first chunk on, 256 MiB",
    ">= 0.8",
    async () => perSecond(await down(host, "archive")),
    bareDown,
    rate,
    "bare grpc-js, same chunks",
  );
  await compare(
    "the same by Connect's server (HTTP/1.1)",
    "",
    async () => perSecond(await connectStream(host)),
    bareDown,
    rate,
    "bare grpc-js, same chunks",
  );
  await compare(
    "StreamRestore's receiving, digest checked, 256 MiB",
    ">= 0.8",
    async () => perSecond(await up(host, archiveBytes)),
    bareUp,
    rate,
    "bare client stream",
  );
  const get = async (port: number, path: string) => perSecond(await stream("http", { port, path }));
  await compare(
    "REST download, 256 MiB",
    ">= 0.7",
    () => get(host.port, "/v1/transfers/archive:download"),
    () => get(bare.port, "/"),
    rate,
    "file to socket by node:http",
  );
}

async function unary(host: Served, bare: Served): Promise<void> {
  for (const bytes of [500, 4096]) {
    await load(host.port, { count: 1, bytes, first: bytes, connections: 1 });
    const settings = { concurrency: 32, durationMs: 3000 };
    const ours = () =>
      stream("unary", {
        ...settings,
        port: host.grpcPort,
        path: "/holdfast.document.v1.DocumentService/GetDocument",
        request: encoded(GetDocumentRequestSchema, { selfLink: `/bench/d${bytes}` }),
      });
    const echo = () =>
      stream("unary", {
        ...settings,
        port: bare.grpcPort,
        path: "/bench.Bare/Echo",
        request: Buffer.alloc(bytes, 7).toString("base64"),
      });
    const calls = async (run: () => Promise<StreamResult>) => {
      const { count, ms: all } = await run();
      return (count / all) * 1000;
    };
    await compare(
      `unary GetDocument, ${bytes} B, 32 at once`,
      ">= 0.7",
      () => calls(ours),
      () => calls(echo),
      (value) => `${value.toFixed(0)}/s`,
      "bare grpc-js echo",
    );
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
