import { X509Certificate } from "node:crypto";
import { createSecureContext, rootCertificates } from "node:tls";
import { HostError } from "../../errors.js";

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

const invalid = (problem: string, cause?: unknown) =>
  new HostError("CONFIGURATION_INVALID", problem, { cause });

/** OpenSSL ignores what it cannot read, so that an invalid file would be accepted and no authority trusted. */
function checkAuthorities(pem: string): void {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0)
    throw invalid("The file of authorities (--ca-file) holds no certificate in PEM.");
  try {
    for (const each of found) new X509Certificate(each);
  } catch (cause) {
    throw invalid(
      "The file of authorities (--ca-file) holds a certificate that cannot be read.",
      cause,
    );
  }
}

/** Tries the certificates out before the first connection needs them: CONFIGURATION_INVALID. */
export function clientTls({ ca, certificate, key }: ClientTlsOptions): ClientTls {
  if (ca !== undefined) checkAuthorities(ca);
  if ((certificate === undefined) !== (key === undefined))
    throw invalid(
      "A client certificate needs its key and a key its certificate: give --client-cert and --client-key.",
    );
  const tls: ClientTls = {
    ...(ca !== undefined && { ca: [...rootCertificates, ca] }),
    ...(certificate !== undefined && { cert: certificate }),
    ...(key !== undefined && { key }),
  };
  try {
    createSecureContext(tls);
  } catch (cause) {
    throw invalid(
      "The certificates for outgoing connections (--ca-file, --client-cert, --client-key) cannot be used: one is no PEM, or the key is of another certificate.",
      cause,
    );
  }
  return tls;
}
