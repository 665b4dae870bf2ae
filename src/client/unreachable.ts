import { connect } from "node:net";
import { limits } from "../limits.js";
import { HostError } from "../errors.js";
import { formatAddress, type HostAddress } from "./host-address.js";

/** Why a call to a host got no answer from one: looks at the address once more, and says what to do. */
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
      `The certificate of ${where} is not trusted, or is that of another name (${lastCause(thrown)}). Name its authority with --ca-file FILE, and the host as its certificate does.`,
    );
  }
  const seen = await probe(address);
  switch (seen) {
    case "refused":
      return error(
        `No host answers at ${where}. Is it running? Start one with: holdfast serve. Or name another: --address HOST:PORT, its gRPC port.`,
      );
    case "http":
      return error(
        `What answers at ${where} speaks HTTP: that is the host's HTTP port. Name its gRPC port, which the host says when it starts (8001 unless it was told otherwise): --address ${address.host}:8001`,
      );
    case "tls":
      return error(`${where} speaks TLS. Use --tls, or --address https://${where}.`);
    case "other":
      return error(
        address.tls
          ? `No TLS connection to a host came about at ${where} (${lastCause(thrown)}). Where the host has no certificate, leave out --tls and https; where it asks for one of yours, give --client-cert and --client-key.`
          : `What answers at ${where} is no gRPC port of a host, or the connection broke (${lastCause(thrown)}). Is it running, and is this its gRPC port? See: --address HOST:PORT`,
      );
  }
}

/** Only words that name a failure, never what was sent. */
function lastCause(thrown: unknown): string {
  let last = thrown;
  for (let depth = 0; depth < 10 && last instanceof Error && last.cause instanceof Error; depth++)
    last = last.cause;
  if (!(last instanceof Error)) return "no reason was given";
  return "code" in last && typeof last.code === "string" ? last.code : last.message.slice(0, 200);
}

function causesOf(thrown: unknown): string {
  const texts: string[] = [];
  for (let one = thrown; one instanceof Error && texts.length < 10; one = one.cause)
    texts.push(one.message, "code" in one ? String(one.code) : "");
  return texts.join(" ");
}

/** What the port answers to a request of HTTP/1.1, which every HTTP server knows and no gRPC server does. */
function probe({ host, port }: HostAddress): Promise<"refused" | "http" | "tls" | "other"> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (outcome: "refused" | "http" | "tls" | "other") => {
      socket.destroy();
      resolve(outcome);
    };
    let isConnected = false;
    socket.setTimeout(limits.clientProbeMs, () => end(isConnected ? "other" : "refused"));
    socket.once("connect", () => {
      isConnected = true;
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    });
    socket.once("data", (bytes: Buffer) => {
      const first = bytes.subarray(0, 7).toString("latin1");
      // A TLS server answers with an alert record: 0x15, version 3.x.
      end(first === "HTTP/1." ? "http" : bytes[0] === 0x15 && bytes[1] === 3 ? "tls" : "other");
    });
    socket.once("error", () => end(isConnected ? "other" : "refused"));
    socket.once("close", () => end("other"));
  });
}
