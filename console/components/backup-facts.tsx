import { Fragment } from "preact";
import type { HostJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import type { ReadableBackup } from "../api/chains.js";
import { bytes, count, localTime } from "../text/format.js";
import { nameOf } from "../text/names.js";

/** Everything that is known of a backup. */
export function BackupFacts({ listed, host }: { listed: ReadableBackup; host: HostJson }) {
  const { backup, uri } = listed;
  const { window, segments = [], recipients = [] } = backup;
  const stored = segments.reduce((sum, one) => sum + Number(one.storedBytes ?? 0), 0);
  const isOwn = host.indexes?.some(({ indexId }) => indexId === backup.indexId) ?? false;
  const facts: [name: string, value: string | undefined][] = [
    ["Name", backup.name],
    ["At", uri],
    ["Index", `${backup.indexLink} ${isOwn ? "of this host" : `of host ${backup.hostId}`}`],
    ["Restores from", localTime(Number(window?.earliestMicros ?? 0))],
    ["Restores to", localTime(Number(window?.latestMicros ?? 0))],
    ["Content", `${count(backup.documents)} documents, ${count(backup.versions)} versions`],
    [
      "Files",
      `${count(segments.length)} segments, ${bytes(stored)} stored, ${nameOf(backup.container, "CONTAINER_")}`,
    ],
    ["Written by", `Holdfast ${backup.productVersion}, backup ${count(backup.number)} there`],
    [
      "Encrypted",
      backup.encrypted
        ? recipients.length > 0
          ? recipients.join(", ")
          : "yes, with a passphrase or to recipients that it does not name"
        : "no",
    ],
    ["Lineage", backup.lineage],
    ["Manifest", `SHA-256 ${backup.manifestSha256}`],
  ];
  return (
    <dl>
      {facts.map(([name, value]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </Fragment>
      ))}
    </dl>
  );
}
