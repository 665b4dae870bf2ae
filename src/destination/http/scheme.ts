import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { DestinationScheme, OpenedUri, OpenRequest } from "../registry.js";
import type { AddressPolicy } from "./address-policy.js";
import { openHttpFileClient } from "./client.js";
import { HttpDestination } from "./destination.js";
import type { ClientTls } from "./tls.js";
import { parseHttpUri } from "./uri.js";

export interface HttpSchemeOptions {
  platform: Platform;
  /** Which addresses may be connected to. */
  policy: AddressPolicy;
  tls: ClientTls;
  /** On the disk of the indexes, emptied at each start: archives are packed and fetched there. */
  temporaryDirectory: string;
}

/** http: and https: URIs: an archive on a web server. */
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
        "The bearer contains characters that a header may not contain.",
        { metadata: { field: "bearer" } },
      );
    }
    const { platform, policy, tls, temporaryDirectory } = this.#options;
    const uri = parseHttpUri(text);
    const role = purpose === "read" ? "The source" : "The destination";
    const connect = () =>
      openHttpFileClient(uri, { role, policy, tls, ...(bearer !== undefined && { bearer }) });
    // Refuses addresses that may not be connected to, before anything is done.
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
        `${this.#sources} sources are being read, as many as the host allows; wait for one to end.`,
      );
    }
    this.#sources += 1;
    return () => void (this.#sources -= 1);
  }
}
