import { createHash } from "node:crypto";
import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { download, type Sink } from "./download.js";
import type { HttpFileClient } from "./client.js";

export interface SentFile {
  sizeBytes: number;
  /** In lower-case hexadecimal. */
  sha256: string;
}

/** Statuses of a server that takes what is put there but gives nobody anything, as with presigned URLs. */
const notForReading = new Set(["401", "403", "404", "405", "501"]);

/**
 * Fetches what was sent and compares its digest: BACKUP_DAMAGED where it differs. Resolves with the status of a server that
 * does not let it be read, and with nothing when all is as it was sent. `onBytes` hears of what was read so far.
 */
export async function readBack(
  platform: Platform,
  client: HttpFileClient,
  sent: SentFile,
  signal: AbortSignal,
  onBytes: (done: number) => void,
): Promise<string | undefined> {
  let hash = createHash("sha256");
  const damaged = (problem: string) =>
    new HostError(
      "BACKUP_DAMAGED",
      `${client.name} did not give back what was sent: ${problem}. There is no backup there; look at what stores it, and who else writes to it.`,
    );
  const checkSize = (bytes: number) => {
    if (bytes !== sent.sizeBytes)
      throw damaged(`it has ${bytes} bytes, and ${sent.sizeBytes} were sent`);
  };
  const sink: Sink = {
    async expect(total) {
      if (total !== undefined) checkSize(total);
    },
    async write(bytes, position) {
      if (position + bytes.length > sent.sizeBytes)
        throw damaged(`it goes on beyond the ${sent.sizeBytes} bytes that were sent`);
      hash.update(bytes);
      onBytes(position + bytes.length);
    },
    async restart() {
      hash = createHash("sha256");
    },
  };
  try {
    // One at a time: the digest wants the bytes in their order.
    checkSize(await download(platform, client, sink, 1, signal));
  } catch (error) {
    const status =
      error instanceof HostError && error.reason === "DESTINATION_REFUSED"
        ? error.metadata["status"]
        : undefined;
    if (status === undefined || !notForReading.has(status)) throw error;
    return status;
  }
  if (hash.digest("hex") !== sent.sha256) throw damaged("its SHA-256 is another one");
  return undefined;
}
