import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.js";
import { Health } from "../../gen/ts/grpc/health/v1/health_pb.js";
import { DocumentService } from "../../gen/ts/holdfast/document/v1/document_pb.js";

/** Runs in the page: makes the same calls over one protocol and returns the results. */
async function call(
  baseUrl: string,
  protocol: "connect" | "connect-binary" | "grpc-web",
  token: string,
) {
  const transport =
    protocol === "grpc-web"
      ? createGrpcWebTransport({ baseUrl })
      : createConnectTransport({ baseUrl, useBinaryFormat: protocol === "connect-binary" });
  const documents = createClient(DocumentService, transport);
  const options = { headers: { authorization: `Bearer ${token}` } };
  const bytes = (text: string) => new TextEncoder().encode(text);
  const failure = async (work: Promise<unknown>) => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => ConnectError.from(thrown),
    );
    const [info] = error?.findDetails(ErrorInfoSchema) ?? [];
    return { code: error?.code, reason: info?.reason, metadata: info?.metadata };
  };
  const { selfLink, version, body } = await documents.createDocument(
    { factoryLink: "/things", body: { case: "json", value: bytes('{"n":9007199254740993}') } },
    options,
  );
  const leave = new AbortController();
  const statuses: number[] = [];
  try {
    for await (const { status } of createClient(Health, transport).watch(
      { service: "" },
      { ...options, signal: leave.signal },
    )) {
      statuses.push(status);
      leave.abort();
    }
  } catch (thrown) {
    statuses.push(-ConnectError.from(thrown).code);
  }
  return {
    found: (await documents.getDocument({ selfLink }, options)).selfLink === selfLink,
    version: String(version),
    text: body.case === "json" ? new TextDecoder().decode(body.value) : "",
    statuses,
    missing: await failure(documents.getDocument({ selfLink: "/things/none" }, options)),
    unknown: await failure(
      documents.getDocument({ selfLink }, { headers: { authorization: "Bearer nobody" } }),
    ),
  };
}
export type PageResult = Awaited<ReturnType<typeof call>>;

(globalThis as unknown as { callHost: typeof call }).callHost = call;
