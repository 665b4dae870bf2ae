import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Authorize } from "../../../src/api/policy/authorization.js";
import { createHealth } from "../../../src/api/health.js";
import { hostServices } from "../../../src/api/host-services.js";
import { startGrpcServer } from "../../../src/transport/grpc/server.js";
import { createRestHandler } from "../../../src/transport/rest/handler.js";
import { fakeHost } from "./fake-host.js";

/** The fake host behind gRPC and REST, each on a free port. */
export async function startServers(authorize?: Authorize) {
  const host = fakeHost();
  const internal: unknown[] = [];
  const onInternalError = (error: unknown) => void internal.push(error);
  const services = hostServices(host);
  const checks = authorize ? { authorize } : {};
  const health = createHealth([...services.map(({ service }) => service.typeName), "backup"]);
  const grpc = await startGrpcServer({
    host: "127.0.0.1",
    port: 0,
    services,
    onInternalError,
    health,
    ...checks,
  });
  const rest = createRestHandler({ services, onInternalError, ...checks });
  const http = createServer((request, response) => {
    const left = new AbortController();
    response.on("close", () => left.abort());
    void rest(request, response, () => left.signal).then((taken) => {
      if (!taken) response.writeHead(418).end();
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const { port } = http.address() as AddressInfo;
  return {
    host,
    internal,
    grpc,
    health,
    grpcAddress: `127.0.0.1:${grpc.port}`,
    url: `http://127.0.0.1:${port}`,
    httpPort: port,
    close: async () => {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
      await grpc.close(0);
    },
  };
}
export type Servers = Awaited<ReturnType<typeof startServers>>;
