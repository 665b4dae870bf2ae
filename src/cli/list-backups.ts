import type { ListedBackup } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import type { readDecryption } from "./keys.js";
import type { Session } from "./connect/session.js";

/**
 * Fetches all pages of ListBackups. A destination has at most a few thousand backups, so they fit
 * in memory.
 */
export async function listAllBackups(
  { management }: Session,
  request: { uri: string; recursive?: boolean; checkDigests?: boolean } & Awaited<
    ReturnType<typeof readDecryption>
  >,
  signal: AbortSignal,
): Promise<ListedBackup[]> {
  const all: ListedBackup[] = [];
  let pageToken = "";
  do {
    const page = await management.listBackups(
      { ...request, pageSize: 1000, pageToken },
      { signal },
    );
    all.push(...page.backups);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return all;
}
