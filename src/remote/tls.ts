import { createSecureContext, rootCertificates } from "node:tls";
import { HostError } from "../errors.js";

/** PEM texts for outgoing connections. */
export interface ClientTlsOptions {
  /** Authorities that are trusted beside those of Node. */
  ca?: string;
  certificate?: string;
  key?: string;
}

/** As node:https takes them. */
export interface ClientTls {
  ca?: string[];
  cert?: string;
  key?: string;
}

const invalid = (problem: string, cause?: unknown) => new HostError("CONFIGURATION_INVALID", problem, { cause });

/** Tries the certificates out before the first connection needs them: CONFIGURATION_INVALID. */
export function clientTls({ ca, certificate, key }: ClientTlsOptions): ClientTls {
  if (ca !== undefined && !ca.includes("-----BEGIN CERTIFICATE-----")) throw invalid("The file of authorities (--ca-file) holds no certificate in PEM.");
  if ((certificate === undefined) !== (key === undefined)) throw invalid("A client certificate needs its key and a key its certificate: give --client-cert and --client-key.");
  const tls: ClientTls = {
    ...(ca !== undefined && { ca: [...rootCertificates, ca] }),
    ...(certificate !== undefined && { cert: certificate }),
    ...(key !== undefined && { key }),
  };
  try {
    createSecureContext({ ...tls, ...(ca !== undefined && { ca }) });
  } catch (cause) {
    throw invalid("The certificates for outgoing connections (--ca-file, --client-cert, --client-key) cannot be used: one is no PEM, or the key is of another certificate.", cause);
  }
  return tls;
}
