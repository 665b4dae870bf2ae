import { connect } from "node:net";
import { limits } from "../limits.js";
import { HostError } from "../errors.js";
import { formatAddress, type HostAddress } from "./host-address.js";

/**
 * Probes the address of a host after a call failed without a response, and returns a
 * HOST_UNREACHABLE error with the likely cause and what to do.
 */
export async function explainUnreachable(
  address: HostAddress,
  thrown: unknown,
): Promise<HostError> {
  const where = formatAddress(address);
  const error = (problem: string) =>
    new HostError("HOST_UNREACHABLE", problem, { cause: thrown, metadata: { address: where } });
  const text = causesOf(thrown);
  if (/certificate|self.signed|altname|UNABLE_TO_|CERT_/i.test(text)) {
    return error(
      `The TLS certificate of ${where} is not trusted or is for another host name (${lastCause(thrown)}). Trust its CA with --ca-file FILE, and use a host name from the certificate.`,
    );
  }
  switch (await probe(address)) {
    case "refused":
      return error(
        `No host is listening at ${where}. Start one with holdfast serve, or set the gRPC address of another host with --address HOST:PORT.`,
      );
    case "http":
      return error(
        `${where} is an HTTP port, not a gRPC port. Use the gRPC port, which the host prints when it starts (default: 8001): --address ${address.host}:8001`,
      );
    case "tls":
      return error(`${where} requires TLS. Use --tls or --address https://${where}.`);
    case "other":
      return error(
        address.tls
          ? `Cannot establish a TLS connection to ${where} (${lastCause(thrown)}). If the host has no certificate, omit --tls and https://; if it requires a client certificate, set --client-cert and --client-key.`
          : `${where} is not the gRPC port of a host, or the connection was lost (${lastCause(thrown)}). Check that the host is running and that --address HOST:PORT is its gRPC port.`,
      );
  }
}

/** Returns the code or message of the innermost cause. It never contains what was sent. */
function lastCause(thrown: unknown): string {
  let last = thrown;
  for (let depth = 0; depth < 10 && last instanceof Error && last.cause instanceof Error; depth++)
    last = last.cause;
  if (!(last instanceof Error)) return "unknown cause";
  return "code" in last && typeof last.code === "string" ? last.code : last.message.slice(0, 200);
}

function causesOf(thrown: unknown): string {
  const texts: string[] = [];
  for (let error = thrown; error instanceof Error && texts.length < 10; error = error.cause)
    texts.push(error.message, "code" in error ? String(error.code) : "");
  return texts.join(" ");
}

/**
 * Classifies a port by its response to an HTTP/1.1 request, which HTTP servers understand and gRPC
 * servers do not.
 */
function probe({ host, port }: HostAddress): Promise<"refused" | "http" | "tls" | "other"> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (outcome: "refused" | "http" | "tls" | "other") => {
      socket.destroy();
      resolve(outcome);
    };
    let isConnected = false;
    socket.setTimeout(limits.clientProbeMs, () => settle(isConnected ? "other" : "refused"));
    socket.once("connect", () => {
      isConnected = true;
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    });
    socket.once("data", (bytes: Buffer) => {
      const first = bytes.subarray(0, 7).toString("latin1");
      // A TLS server answers with an alert record: 0x15, version 3.x.
      settle(first === "HTTP/1." ? "http" : bytes[0] === 0x15 && bytes[1] === 3 ? "tls" : "other");
    });
    socket.once("error", () => settle(isConnected ? "other" : "refused"));
    socket.once("close", () => settle("other"));
  });
}
