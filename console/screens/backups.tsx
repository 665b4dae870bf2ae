import { useEffect, useState } from "preact/hooks";
import type {
  HostJson,
  ListedBackupJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { useBackupList } from "../api/backup-list.js";
import { backupKey } from "../api/backups.js";
import { chainsOf } from "../api/chains.js";
import { knownDestinations } from "../api/destinations.js";
import { listPolicies } from "../api/host.js";
import { may } from "../api/may.js";
import { usePolled } from "../api/polled.js";
import { BackupChain } from "../components/backup-chain.js";
import { DestinationPicker } from "../components/destination-picker.js";
import { DownloadPanel } from "../components/download-panel.js";
import { Failure } from "../components/failure.js";
import { NeedsRole } from "../components/needs-role.js";
import { Notice } from "../components/notice.js";
import { OtherFiles } from "../components/other-files.js";
import { PrunePanel } from "../components/prune-panel.js";
import { count, localSecond } from "../text/format.js";

/** For the names of destinations alone, which rarely change. */
const policiesIntervalMs = 60_000;

/** The destination that a link to this screen names: #/backups/URI. */
function linked(): string {
  try {
    return decodeURIComponent(/^#\/backups\/(.+)$/.exec(window.location.hash)?.[1] ?? "");
  } catch {
    return "";
  }
}

/** Shows what backups are at a destination, verifies, tests, pins and removes them. */
export function Backups({ host }: { host: HostJson }) {
  return (
    <>
      <h1>Backups</h1>
      {may("backup") ? <AtDestination host={host} /> : <NeedsRole role="backup" />}
    </>
  );
}

function AtDestination({ host }: { host: HostJson }) {
  const policies = usePolled(listPolicies, policiesIntervalMs);
  const known = knownDestinations(host, policies.answer?.policies ?? []);
  const [uri, setUri] = useState(linked);
  const [recursive, setRecursive] = useState(false);
  const [chosen, setChosen] = useState<ReadonlyMap<string, ListedBackupJson>>(new Map());
  const [done, setDone] = useState("");
  const isRefused = policies.error?.reason === "ROLE_MISSING";
  const isAsked = !isRefused && (policies.answer !== undefined || policies.error !== undefined);
  // Chosen once: the order of what is known changes with each backup.
  const first = known[0]?.uri ?? "";
  useEffect(() => {
    if (uri === "" && isAsked) setUri(first);
  }, [isAsked, first]);
  const list = useBackupList(uri === "" ? undefined : { uri, recursive });
  useEffect(() => {
    setChosen(new Map());
    setDone("");
  }, [uri, recursive]);
  const choose = (given: ListedBackupJson[], isChosen: boolean) => {
    const next = new Map(chosen);
    for (const one of given)
      if (isChosen) next.set(backupKey(one), one);
      else next.delete(backupKey(one));
    setChosen(next);
  };
  const pruned = (what: string) => {
    setDone(what);
    setChosen(new Map());
    list.reload();
  };

  if (isRefused) return <NeedsRole role="backup" />;
  const backups = list.backups ?? [];
  const { chains, others } = chainsOf(backups);
  const selection = { chosen, choose };
  return (
    <>
      <section class="card">
        {/* A link to this screen may name a destination that is known only later. */}
        {isAsked && <DestinationPicker known={known} uri={uri} onPick={setUri} />}
        <div class="row">
          <label class="check">
            <input
              type="checkbox"
              checked={recursive}
              onChange={(event) => setRecursive(event.currentTarget.checked)}
            />
            Also subdirectories and ZIP archives
          </label>
        </div>
        <div class="row">
          <button type="button" disabled={uri === "" || list.isLoading} onClick={list.reload}>
            List again
          </button>
          <span class="muted" role="status">
            {list.isLoading
              ? "Listing…"
              : list.listedMicros !== undefined &&
                `${count(backups.length)} ${list.hasMore ? "newest " : ""}backups, listed at ${localSecond(list.listedMicros).slice(11)}.`}
          </span>
        </div>
      </section>
      {list.error && <Failure error={list.error} role="backup" />}
      {done !== "" && <Notice kind="good">{done}</Notice>}
      <OtherFiles files={others} selection={selection} />
      {chains.map((chain, at) => (
        <BackupChain
          key={chain.key}
          chain={chain}
          host={host}
          isFirst={at === 0}
          isPartial={list.hasMore && at === chains.length - 1}
          selection={selection}
          onChanged={list.reload}
        />
      ))}
      {list.backups?.length === 0 && <p>There are no backups.</p>}
      {list.hasMore && (
        <div class="row">
          <button type="button" disabled={list.isLoading} onClick={list.more}>
            Show older backups
          </button>
        </div>
      )}
      {chosen.size > 0 && (
        <PrunePanel
          key={[...chosen.keys()].join()}
          chosen={[...chosen.values()]}
          newest={backups[0]}
          onClear={() => setChosen(new Map())}
          onDone={pruned}
        />
      )}
      <DownloadPanel host={host} />
    </>
  );
}
