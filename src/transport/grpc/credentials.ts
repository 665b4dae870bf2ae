import { ServerCredentials } from "@grpc/grpc-js";
import type { TlsIdentity } from "../../security/tls.js";

/** Plain text without an identity; with a client CA only who shows a certificate of it gets in. */
export function serverCredentials(tls: TlsIdentity | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const { certificate, key, clientCa } = tls;
  const pair = { cert_chain: Buffer.from(certificate), private_key: Buffer.from(key) };
  return ServerCredentials.createSsl(clientCa === undefined ? null : Buffer.from(clientCa), [pair], clientCa !== undefined);
}
