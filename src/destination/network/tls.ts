import { X509Certificate } from "node:crypto";
import { createSecureContext, rootCertificates } from "node:tls";
import { HostError } from "../../errors.js";

/** Certificates for outgoing connections, in PEM. */
export interface ClientTlsOptions {
  /** Certificate authorities to trust in addition to those of Node. */
  ca?: string;
  certificate?: string;
  key?: string;
}

/** TLS options of node:https. */
export interface ClientTls {
  ca?: string[];
  cert?: string;
  key?: string;
}

const invalid = (problem: string, cause?: unknown) =>
  new HostError("CONFIGURATION_INVALID", problem, { cause });

/** Checks certificates of authorities, because OpenSSL ignores invalid ones. */
function checkAuthorities(pem: string): void {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0)
    throw invalid("The file of --ca-file does not contain a certificate in PEM.");
  try {
    for (const each of found) new X509Certificate(each);
  } catch (cause) {
    throw invalid("The file of --ca-file contains an invalid certificate.", cause);
  }
}

/** Validates certificates and returns the options for connections. Throws CONFIGURATION_INVALID. */
export function clientTls({ ca, certificate, key }: ClientTlsOptions): ClientTls {
  if (ca !== undefined) checkAuthorities(ca);
  if ((certificate === undefined) !== (key === undefined))
    throw invalid(
      "A client certificate requires a key: use --client-cert and --client-key together.",
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
      "Invalid certificates for outgoing connections (--ca-file, --client-cert, --client-key): one is not PEM, or the key does not match the certificate.",
      cause,
    );
  }
  return tls;
}
