import { experimental, ServerCredentials } from "@grpc/grpc-js";
import type { TlsIdentity } from "../../security/tls.js";

/** Credentials whose certificate can be replaced while the server runs. */
export interface ReplaceableCredentials {
  credentials: ServerCredentials;
  /** The next handshake shows and asks for these. Nothing without TLS. */
  replace(tls: TlsIdentity): void;
}

type Listener<T> = (update: T) => void;

/** Tells what it was given last, and whatever comes later. */
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

/** Plain text without an identity; with a client CA only who shows a certificate of it gets in. */
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
  const asksForCertificates = tls.clientCa !== undefined;
  return {
    credentials: experimental.createCertificateProviderServerCredentials(
      provider,
      asksForCertificates ? provider : null,
      asksForCertificates,
    ),
    replace(next) {
      authority.set(authorityOf(next));
      identity.set(identityOf(next));
    },
  };
}
