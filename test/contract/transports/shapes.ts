import { setTimeout as sleep } from "node:timers/promises";
import type { HandlerContext } from "@connectrpc/connect";
import { DocumentService } from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { ManagementService } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { HostError } from "../../../src/errors.js";
import { bindService } from "../../../src/api/call/bound-service.js";
import { createHealth } from "../../../src/api/health.js";
import { createConnectHandler } from "../../../src/transport/connect/handler.js";
import { startGrpcServer } from "../../../src/transport/grpc/server.js";
import { HttpServer } from "../../../src/transport/http/server.js";
import { createRestHandler } from "../../../src/transport/rest/handler.js";
import { sendError } from "../../../src/xenon/dialect/error-response.js";
import { hostNames } from "../../../src/security/hosts.js";
import type { Served } from "./all.js";

export const beyondDoubles = 9_007_199_254_740_993n;

/** Methods of each shape, which record their calls. The name of an operation selects the behaviour of WatchOperation. */
export async function serveShapes() {
  const seen = { produced: 0, consumed: 0, ended: 0, aborted: 0, internal: [] as unknown[] };
  const watch = ({ signal }: HandlerContext) =>
    signal.addEventListener("abort", () => seen.aborted++);
  const services = [
    bindService(ManagementService, {
      async *watchOperation({ name }, context) {
        watch(context);
        context.responseHeader.set("x-served", context.requestHeader.get("x-who") ?? "nobody");
        context.responseTrailer.set("x-trailer", "there");
        try {
          if (name.endsWith("refused"))
            throw new HostError("OPERATION_NOT_FOUND", "Operation not found.", {
              metadata: { name },
            });
          if (name.endsWith("empty")) return;
          for (let i = 0; ; i++) {
            if (name.endsWith("broken") && i === 2)
              throw new HostError("BACKUP_DAMAGED", "It is damaged.", {
                metadata: { at: String(i) },
              });
            if (name.endsWith("secret") && i === 1) throw new Error("the password is hunter2");
            if (name.endsWith("three") && i === 3) return;
            yield { name: `operations/${i}` };
            if (name.endsWith("endless")) await sleep(10, undefined, { signal: context.signal });
          }
        } finally {
          seen.ended++;
        }
      },
      async *streamBackup({ chunkBytes }) {
        yield { message: { case: "header", value: { offset: beyondDoubles } } };
        const data = new Uint8Array(chunkBytes);
        try {
          for (; chunkBytes > 0 && seen.produced < 10_000; seen.produced++)
            yield { message: { case: "chunk", value: { offset: 1n, data } } };
        } finally {
          seen.ended++;
        }
      },
      async streamRestore(requests, context) {
        watch(context);
        let bytes = 0;
        for await (const { message } of requests) {
          if (message.case === "chunk") bytes += message.value.data.length;
          if (message.case === "trailer")
            throw new HostError("BACKUP_DAMAGED", "Its digest is another.", {
              metadata: { sha256: message.value.sha256 },
            });
          // Longer than the client needs to send all without flow control.
          if (message.case === "header" && message.value.indexLink === "slow") await sleep(600);
          seen.consumed++;
        }
        return { result: { documents: BigInt(seen.consumed), versions: BigInt(bytes) } };
      },
      async deleteTransfer(_request, { signal }) {
        try {
          await sleep(60_000, undefined, { signal });
          return {};
        } finally {
          seen.ended++;
        }
      },
    }),
    bindService(DocumentService, {
      getDocumentVersion: ({ selfLink, version }) => ({
        selfLink,
        version,
        updateTimeMicros: beyondDoubles,
        expirationTimeMicros: -beyondDoubles,
      }),
      async *importDocuments(requests, context) {
        watch(context);
        let documents = 0n;
        for await (const _ of requests) yield { documents: (documents += 1n) };
        yield { documents, done: true };
      },
    }),
  ];
  const onInternalError = (error: unknown) => void seen.internal.push(error);
  const http = new HttpServer({
    host: "127.0.0.1",
    port: 0,
    hostNames: hostNames("127.0.0.1"),
    handlers: [
      createConnectHandler({ services, onInternalError }),
      createRestHandler({ services, onInternalError }),
    ],
    sendError,
    onInternalError,
  });
  const { port } = await http.open();
  const grpc = await startGrpcServer({
    host: "127.0.0.1",
    port: 0,
    services,
    health: createHealth([]),
    onInternalError,
  });
  const served: Served = {
    services,
    httpUrl: `http://127.0.0.1:${port}`,
    grpcUrl: `http://127.0.0.1:${grpc.port}`,
  };
  return { seen, served, close: () => Promise.all([http.close(0), grpc.close(0)]) };
}
