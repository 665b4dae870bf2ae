import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { HostError } from "../errors.js";

/** TLS settings of both ports, as PEM text. */
export interface TlsIdentity {
  /** Certificate of the host, followed by intermediate certificates. */
  certificate: string;
  /** Private key of the certificate. */
  key: string;
  /** If set, clients must present a certificate signed by one of these CAs. */
  clientCa?: string;
}

/**
 * Throws CONFIGURATION_INVALID for unusable settings, with which a host would start but reject
 * every handshake.
 */
export function checkTls({ certificate, key, clientCa }: TlsIdentity): void {
  const parsed = attempt(
    "The TLS certificate is not a PEM certificate",
    () => new X509Certificate(certificate),
  );
  const privateKey = attempt("The TLS key is not a PEM private key, or it is encrypted", () =>
    createPrivateKey(key),
  );
  if (!parsed.checkPrivateKey(privateKey))
    throw invalid("The TLS key does not match the certificate.");
  if (clientCa !== undefined)
    attempt("The client CA is not a PEM certificate", () => new X509Certificate(clientCa));
  attempt("The TLS certificate and key cannot be used", () =>
    createSecureContext({
      cert: certificate,
      key,
      ...(clientCa !== undefined && { ca: clientCa }),
    }),
  );
}

function attempt<T>(problem: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    // Without the message of OpenSSL, which may quote the input.
    throw invalid(`${problem}: check --tls-cert, --tls-key and --tls-client-ca.`, cause);
  }
}

function invalid(problem: string, cause?: unknown): HostError {
  return new HostError("CONFIGURATION_INVALID", problem, { cause });
}
