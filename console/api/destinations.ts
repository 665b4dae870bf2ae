import type { HostJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import type { BackupPolicyJson } from "../../gen/ts/holdfast/management/v1/policy_pb.js";

/** A destination that the host knows, and what it is for. */
export interface KnownDestination {
  uri: string;
  use: string;
}

/** Destinations that can be listed: of policies, of earlier backups, and of automatic backups. */
export function knownDestinations(
  host: HostJson,
  policies: BackupPolicyJson[],
): KnownDestination[] {
  const uses = new Map<string, Set<string>>();
  const add = (uri: string, use: string) => {
    // Archives on the host and at HTTP servers are no places that can be listed.
    if (uri === "" || /^(transfer|https?):/i.test(uri)) return;
    const known = uses.get(uri) ?? new Set<string>();
    if (use !== "") known.add(use);
    uses.set(uri, known);
  };
  for (const { name, status } of policies)
    for (const { uri = "", copy } of status?.destinations ?? [])
      add(uri, copy ? `copy of ${name}` : `policy ${name}`);
  for (const { destination = "" } of host.backups ?? []) add(destination, "");
  add(host.autoBackupDestination ?? "", "automatic backups");
  return [...uses].map(([uri, known]) => ({ uri, use: [...known].join(", ") }));
}
