import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { HostError } from "../errors.js";

/** What both ports show of themselves and ask of their clients, as PEM text. */
export interface TlsIdentity {
  /** The host's certificate, followed by those between it and a root. */
  certificate: string;
  key: string;
  /** Given: a client must show a certificate that one of these signed. */
  clientCa?: string;
}

/** Throws CONFIGURATION_INVALID for what cannot be used, so that a host does not start and then refuse every handshake. */
export function checkTls({ certificate, key, clientCa }: TlsIdentity): void {
  const parsed = attempt(
    "The TLS certificate is no certificate in PEM",
    () => new X509Certificate(certificate),
  );
  const privateKey = attempt("The TLS key is no private key in PEM, or it is encrypted", () =>
    createPrivateKey(key),
  );
  if (!parsed.checkPrivateKey(privateKey))
    throw invalid("The TLS key is not that of the certificate.");
  if (clientCa !== undefined)
    attempt("The client CA is no certificate in PEM", () => new X509Certificate(clientCa));
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
    // Not the text of OpenSSL: it may quote what it was given.
    throw invalid(`${problem}: check --tls-cert, --tls-key and --tls-client-ca.`, cause);
  }
}

function invalid(problem: string, cause?: unknown): HostError {
  return new HostError("CONFIGURATION_INVALID", problem, { cause });
}
