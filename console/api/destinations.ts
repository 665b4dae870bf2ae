import type { HostJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import type { BackupPolicyJson } from "../../gen/ts/holdfast/management/v1/policy_pb.js";

/** A destination that the host knows, and what it is for. */
export interface KnownDestination {
  uri: string;
  use: string;
}

/** Destinations that can be listed, those with backups first: of policies, of earlier backups, and of automatic backups. */
export function knownDestinations(
  host: HostJson,
  policies: BackupPolicyJson[],
): KnownDestination[] {
  const uses = new Map<string, Set<string>>();
  const add = (uri: string, use?: string) => {
    // Archives on the host and at HTTP servers are no places that can be listed.
    if (uri === "" || /^(transfer|https?):|\.zip$/i.test(uri)) return;
    const known = uses.get(uri) ?? new Set<string>();
    if (use !== undefined) known.add(use);
    uses.set(uri, known);
  };
  const ofPolicies = policies.flatMap(({ name, status }) =>
    (status?.destinations ?? []).map(({ uri = "", copy, lastSuccessMicros }) => ({
      uri,
      use: copy ? `copy of ${name}` : `policy ${name}`,
      hasBackups: Number(lastSuccessMicros ?? 0) > 0,
    })),
  );
  for (const { uri, use } of ofPolicies.filter(({ hasBackups }) => hasBackups)) add(uri, use);
  for (const { destination = "", lastSuccessMicros } of host.backups ?? [])
    if (Number(lastSuccessMicros ?? 0) > 0) add(destination);
  for (const { uri, use } of ofPolicies) add(uri, use);
  add(host.autoBackupDestination ?? "");
  return [...uses].map(([uri, known]) => ({ uri, use: [...known].join(", ") }));
}
