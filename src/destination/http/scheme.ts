import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { DestinationScheme, OpenedUri, OpenRequest } from "../registry.js";
import type { AddressPolicy } from "../network/address-policy.js";
import { openHttpFileClient } from "./client.js";
import { HttpDestination } from "./destination.js";
import type { ClientTls } from "../network/tls.js";
import { parseHttpUri } from "./uri.js";

/** Options of the HttpScheme. */
export interface HttpSchemeOptions {
  platform: Platform;
  /** Addresses to which the host may connect. */
  policy: AddressPolicy;
  tls: ClientTls;
  /**
   * Directory for packing and fetching archives, on the disk of the indexes. The host empties it
   * when it starts.
   */
  temporaryDirectory: string;
}

/** Opens http: and https: URIs, each of which names an archive on a web server. */
export class HttpScheme implements DestinationScheme {
  readonly containers = ["STREAM"] as const;
  readonly #options: HttpSchemeOptions;
  #sources = 0;

  constructor(options: HttpSchemeOptions) {
    this.#options = options;
  }

  async open({ uri: text, purpose, bearer }: OpenRequest): Promise<OpenedUri> {
    if (bearer !== undefined && !/^[\x21-\x7e]+$/.test(bearer)) {
      throw new HostError(
        "REQUEST_INVALID",
        "The bearer token contains characters that are not allowed in a header.",
        { metadata: { field: "bearer" } },
      );
    }
    const { platform, policy, tls, temporaryDirectory } = this.#options;
    const uri = parseHttpUri(text);
    const role = purpose === "read" ? "The source" : "The destination";
    const connect = () =>
      openHttpFileClient(uri, { role, policy, tls, ...(bearer !== undefined && { bearer }) });
    // Throws for an address that is not allowed before the operation starts.
    connect().close();
    const destination = new HttpDestination({
      platform,
      uri,
      connect,
      temporaryDirectory,
      ...(purpose === "read" && { beginReading: () => this.#beginReading() }),
    });
    return { destination, object: "archive.zip", uri: uri.shown };
  }

  #beginReading(): () => void {
    if (this.#sources >= limits.httpSources) {
      throw new HostError(
        "OPERATION_LIMIT",
        `The limit of ${limits.httpSources} concurrent sources is reached. Retry when one of them has ended.`,
      );
    }
    this.#sources += 1;
    return () => void (this.#sources -= 1);
  }
}
