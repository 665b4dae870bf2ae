import { experimental, ServerCredentials } from "@grpc/grpc-js";
import type { TlsIdentity } from "../../security/tls.js";

/** Server credentials whose certificate can be replaced at run time. */
export interface ReplaceableCredentials {
  credentials: ServerCredentials;
  /** Uses the identity from the next handshake on. Has no effect without TLS. */
  replace(tls: TlsIdentity): void;
}

type Listener<T> = (update: T) => void;

/** Notifies each listener of the current value and of every later one. */
class Source<T> {
  private readonly listeners = new Set<Listener<T>>();

  constructor(private value: T) {}

  add(listener: Listener<T>): void {
    this.listeners.add(listener);
    process.nextTick(() => listener(this.value));
  }

  remove(listener: Listener<T>): void {
    this.listeners.delete(listener);
  }

  set(value: T): void {
    this.value = value;
    for (const listener of this.listeners) listener(value);
  }
}

const identityOf = ({ certificate, key }: TlsIdentity) => ({
  certificate: Buffer.from(certificate),
  privateKey: Buffer.from(key),
});
const authorityOf = ({ clientCa = "" }: TlsIdentity) => ({ caCertificate: Buffer.from(clientCa) });

/**
 * Creates credentials: plain text without an identity; with a client CA, only clients that present
 * a certificate signed by it are accepted.
 */
export function serverCredentials(tls: TlsIdentity | undefined): ReplaceableCredentials {
  if (tls === undefined)
    return { credentials: ServerCredentials.createInsecure(), replace: () => {} };
  const identity = new Source(identityOf(tls));
  const authority = new Source(authorityOf(tls));
  const provider = {
    addIdentityCertificateListener: (listener: Parameters<typeof identity.add>[0]) =>
      identity.add(listener),
    removeIdentityCertificateListener: (listener: Parameters<typeof identity.add>[0]) =>
      identity.remove(listener),
    addCaCertificateListener: (listener: Parameters<typeof authority.add>[0]) =>
      authority.add(listener),
    removeCaCertificateListener: (listener: Parameters<typeof authority.add>[0]) =>
      authority.remove(listener),
  };
  const requiresClientCertificate = tls.clientCa !== undefined;
  return {
    credentials: experimental.createCertificateProviderServerCredentials(
      provider,
      requiresClientCertificate ? provider : null,
      requiresClientCertificate,
    ),
    replace(next) {
      authority.set(authorityOf(next));
      identity.set(identityOf(next));
    },
  };
}
