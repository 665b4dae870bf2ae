import type {
  BackupRecordJson,
  HostJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import type { BackupPolicyJson } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { listPolicies } from "../api/host.js";
import { usePolled } from "../api/polled.js";
import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import { UndoPanel } from "../components/undo-panel.js";
import { Card } from "../components/card.js";
import { ago, bytes, count, counted, duration } from "../text/format.js";
import { durableIndex } from "../text/names.js";

const policiesIntervalMs = 10_000;

/** What one wants to know before an accident. */
export function Overview({ host, operations }: { host: HostJson; operations: OperationJson[] }) {
  const running = operations.filter(({ done }) => !done).length;
  const { answer, error } = usePolled(listPolicies, policiesIntervalMs);
  const policies = answer?.policies ?? [];
  const now = Date.now() * 1000;
  const index = (host.indexes ?? []).find(({ link }) => link === durableIndex);
  const records = (host.backups ?? []).filter(({ indexLink }) => indexLink === durableIndex);
  const position = Number(index?.positionMicros ?? 0);
  return (
    <>
      <h1>Overview</h1>
      <div class="cards">
        <LossCard position={position} records={records} />
        {error ? (
          <Card title="Last proven restore" value="not known">
            {error.message}
          </Card>
        ) : (
          <ProofCard policies={policies} now={now} />
        )}
        <WindowCard index={index} now={now} />
        <CopiesCard policies={policies} records={records} />
      </div>
      <p>
        Were documents deleted or changed by mistake?{" "}
        <a href="#/timeline">Find the moment before it</a>, and bring them back.
      </p>
      <UndoPanel operations={operations} indexLink={durableIndex} />
      <Problems host={host} policies={policies} />
      <section>
        <h2>This host</h2>
        <dl>
          <dt>Host</dt>
          <dd>
            {host.id}, version {host.version}
          </dd>
          <dt>Documents</dt>
          <dd>
            {count(index?.documents)} with {count(index?.versions)} versions,{" "}
            {bytes(index?.sizeBytes)}
          </dd>
          <dt>Storage</dt>
          <dd>
            {host.engine?.database
              ? `PostgreSQL ${host.engine.database.name}, led by ${host.engine.database.leader || "no host"}`
              : `${host.dataDirectory}, ${bytes(host.freeBytes)} free`}
          </dd>
          <dt>Under way</dt>
          <dd>
            {running === 0 ? "nothing" : <a href="#/operations">{counted(running, "operation")}</a>}
          </dd>
        </dl>
      </section>
    </>
  );
}

/** What would be lost with the disk: what was written since the last backup. */
function LossCard({ position, records }: { position: number; records: BackupRecordJson[] }) {
  const covered = Math.max(0, ...records.map((one) => Number(one.positionMicros ?? 0)));
  const title = "Loss if this disk died now";
  if (position === 0) return <Card title={title} value="nothing: there are no documents" />;
  if (covered === 0)
    return (
      <Card title={title} value="everything" kind="bad">
        There is no backup yet.
      </Card>
    );
  const loss = position - covered;
  if (loss <= 0) return <Card title={title} value="nothing" kind="good" />;
  return (
    <Card title={title} value={`the last ${duration(loss)} of writes`} kind="warn">
      Written since the last backup.
    </Card>
  );
}

function ProofCard({ policies, now }: { policies: BackupPolicyJson[]; now: number }) {
  const proven = (one: { lastProvenRestoreMicros?: string }) =>
    Number(one.lastProvenRestoreMicros ?? 0);
  const [newest] = policies
    .flatMap(({ status }) => status?.destinations ?? [])
    .filter((one) => proven(one) > 0)
    .sort((a, b) => proven(b) - proven(a));
  const title = "Last proven restore";
  if (!newest)
    return (
      <Card title={title} value="never" kind="warn">
        A policy with restore tests proves that backups restore.
      </Card>
    );
  const test = newest.lastRestoreTest;
  return (
    <Card title={title} value={ago(proven(newest), now)} kind="good">
      {test?.passed
        ? `${count(test.documents)} documents in ${duration(Number(test.restoreMicros ?? 0))}`
        : "The last test did not pass."}
    </Card>
  );
}

function WindowCard({
  index,
  now,
}: {
  index: NonNullable<HostJson["indexes"]>[number] | undefined;
  now: number;
}) {
  const earliest = Number(index?.window?.earliestMicros ?? 0);
  const start = Number(index?.window?.historyStartMicros ?? 0);
  const from = Math.max(earliest, start);
  if (from === 0) return <Card title="How far back" value="no documents yet" />;
  return (
    <Card title="How far back" value={duration(now - from)}>
      {start >= earliest ? "To the first document." : "Older versions were compacted."}
    </Card>
  );
}

function CopiesCard({
  policies,
  records,
}: {
  policies: BackupPolicyJson[];
  records: BackupRecordJson[];
}) {
  const destinations = new Set([
    ...records
      // A download is on no other disk as long as nobody has fetched it.
      .filter(
        ({ lastSuccessMicros, destination }) =>
          Number(lastSuccessMicros ?? 0) > 0 && !destination?.startsWith("transfer:"),
      )
      .map(({ destination }) => destination ?? ""),
    ...policies
      .flatMap(({ status }) => status?.destinations ?? [])
      .filter((one) => Number(one.lastSuccessMicros ?? 0) > 0)
      .map((one) => one.uri ?? ""),
  ]);
  return (
    <Card
      title="Where backups are"
      value={destinations.size === 0 ? "nowhere" : counted(destinations.size, "place")}
      kind={destinations.size === 0 ? "bad" : undefined}
    >
      <ul class="plain">
        {[...destinations].map((one) => (
          <li key={one}>{one}</li>
        ))}
      </ul>
    </Card>
  );
}

/** What needs somebody. */
function Problems({ host, policies }: { host: HostJson; policies: BackupPolicyJson[] }) {
  const problems = [
    ...(host.backupProblem ? [host.backupProblem] : []),
    ...(host.indexes ?? []).flatMap(({ link, problem }) =>
      problem ? [`${link} is damaged: ${problem}`] : [],
    ),
    ...policies.flatMap(({ name, status }) =>
      [...(status?.problems ?? []), ...(status?.warnings ?? [])]
        // The health of backups says most of them already.
        .filter((one) => !host.backupProblem?.includes(one))
        .map((one) => `${name}: ${one}`),
    ),
  ];
  return (
    <section class={problems.length > 0 ? "card bad" : "card"}>
      <h2>Needs you</h2>
      {problems.length === 0 ? (
        <p>Nothing.</p>
      ) : (
        <ul>
          {problems.map((one) => (
            <li key={one}>{one}</li>
          ))}
        </ul>
      )}
    </section>
  );
}
