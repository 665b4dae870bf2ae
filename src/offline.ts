import type { Transport } from "@connectrpc/connect";
import { HostError } from "./errors.js";

export interface OfflineOptions {
  dataDirectory?: string;
  stateDirectory: string;
}

export async function openOffline(_options: OfflineOptions): Promise<{ transport: Transport; close(): Promise<void> }> {
  throw new HostError("NOT_SUPPORTED", "Work on files without a host is not there yet.");
}
