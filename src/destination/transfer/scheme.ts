import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import type { DestinationScheme, OpenedUri, OpenRequest } from "../registry.js";
import { TransferDestination, type TransferDestinationOptions } from "./destination.js";
import type { Transfers } from "./transfers.js";
import { transferNameOf, transferScheme, transferUri } from "./transfer.js";

/** Options of the TransferScheme. */
export interface TransferSchemeOptions {
  platform: Platform;
  transfers: Transfers;
  /** As in TransferDestinationOptions, with the name of the transfer. */
  onStored(
    name: string,
    manifest: Parameters<TransferDestinationOptions["onStored"]>[0],
  ): ReturnType<TransferDestinationOptions["onStored"]>;
}

/** Opens transfer: URIs, each of which names an archive that a client downloads or has uploaded. */
export class TransferScheme implements DestinationScheme {
  readonly containers = ["ZIP"] as const;
  readonly incrementalArchives = true;
  readonly #options: TransferSchemeOptions;

  constructor(options: TransferSchemeOptions) {
    this.#options = options;
  }

  async open({ uri, purpose }: OpenRequest): Promise<OpenedUri> {
    const { transfers } = this.#options;
    if (purpose === "read") {
      const name = transferNameOf(uri);
      // Throws before the operation starts if the transfer does not exist or is incomplete.
      transfers.hold(name).release();
      return this.#opened(name);
    }
    if (uri.slice(transferScheme.length) !== "") {
      throw new HostError(
        "DESTINATION_INVALID",
        "The host chooses the names of transfers. Use the destination transfer: without a name.",
        { metadata: { field: "destination" } },
      );
    }
    return { ...this.#opened(transfers.newName()), target: transferScheme };
  }

  #opened(name: string): OpenedUri {
    const { platform, transfers, onStored } = this.#options;
    const destination = new TransferDestination({
      platform,
      transfers,
      name,
      onStored: (manifest) => onStored(name, manifest),
    });
    return { destination, object: name, uri: transferUri(name) };
  }
}
