import { HostError } from "../../errors.js";
import { isTransferName } from "./transfer.js";

/** Begins the URIs of transfers. */
export const transferScheme = "transfer:";

/** The URI of a transfer, `transfer:NAME`. */
export function transferUri(name: string): string {
  return `${transferScheme}${name}`;
}

/** The name in a `transfer:NAME` URI; DESTINATION_INVALID for anything else. */
export function transferNameOf(uri: string): string {
  const name = uri.slice(transferScheme.length);
  if (uri.slice(0, transferScheme.length).toLowerCase() === transferScheme && isTransferName(name))
    return name;
  throw new HostError(
    "DESTINATION_INVALID",
    `${JSON.stringify(uri.slice(0, 100))} is not a transfer; write transfer:NAME.`,
    { metadata: { field: "source" } },
  );
}
