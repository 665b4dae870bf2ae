import type { BackupPolicy } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import type { Session } from "./connect/session.js";

/** Fetches all pages of ListPolicies. A host has at most a thousand policies. */
export async function listAllPolicies(
  { policies }: Session,
  signal: AbortSignal,
): Promise<BackupPolicy[]> {
  const all: BackupPolicy[] = [];
  let pageToken = "";
  do {
    const page = await policies.listPolicies({ pageToken }, { signal });
    all.push(...page.policies);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return all;
}
