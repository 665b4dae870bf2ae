import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import type { DestinationScheme, OpenedUri, OpenRequest } from "../registry.js";
import { TransferDestination, type TransferDestinationOptions } from "./destination.js";
import type { Transfers } from "./transfers.js";
import { transferNameOf, transferScheme, transferUri } from "./transfer.js";

export interface TransferSchemeOptions {
  platform: Platform;
  transfers: Transfers;
  /** As in TransferDestinationOptions, for the transfer of the name. */
  onStored(
    name: string,
    manifest: Parameters<TransferDestinationOptions["onStored"]>[0],
  ): ReturnType<TransferDestinationOptions["onStored"]>;
}

/** transfer: URIs: archives that the host itself keeps for those who fetch them or have sent them. */
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
      // Fails now if there is no such transfer, not when the operation runs.
      transfers.hold(name).release();
      return this.#opened(name);
    }
    if (uri.slice(transferScheme.length) !== "") {
      throw new HostError(
        "DESTINATION_INVALID",
        "The host names transfers itself: write transfer: with nothing after it.",
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
