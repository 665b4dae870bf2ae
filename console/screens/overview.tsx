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
  const policies = usePolled(listPolicies, policiesIntervalMs).answer?.policies ?? [];
  const now = Date.now() * 1000;
  const index = (host.indexes ?? []).find(({ link }) => link === durableIndex);
  // What is downloaded is on this disk, too, until somebody has fetched it.
  const records = (host.backups ?? []).filter(
    ({ indexLink, destination }) =>
      indexLink === durableIndex && !destination?.startsWith("transfer:"),
  );
  const position = Number(index?.positionMicros ?? 0);
  return (
    <>
      <h1>Overview</h1>
      <div class="cards">
        <LossCard position={position} records={records} />
        <ProofCard policies={policies} records={records} now={now} />
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

/** The last restore test that passed, by a policy or by hand. */
function ProofCard({
  policies,
  records,
  now,
}: {
  policies: BackupPolicyJson[];
  records: BackupRecordJson[];
  now: number;
}) {
  const tests = [
    ...policies
      .flatMap(({ status }) => status?.destinations ?? [])
      .flatMap(({ lastRestoreTest: test }) => (test?.passed ? [test] : [])),
    ...records.flatMap(({ lastProvenRestore: test }) => (test ? [test] : [])),
  ];
  const [newest] = tests.sort((a, b) => Number(b.timeMicros ?? 0) - Number(a.timeMicros ?? 0));
  const title = "Last proven restore";
  if (!newest)
    return (
      <Card title={title} value="never" kind="warn">
        A restore test proves that a backup restores: by a policy, or on the screen of backups.
      </Card>
    );
  return (
    <Card title={title} value={ago(Number(newest.timeMicros ?? 0), now)} kind="good">
      {count(newest.documents)} documents in {duration(Number(newest.restoreMicros ?? 0))}
      {!newest.compared && ", not compared with the live index"}
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
      .filter((one) => Number(one.lastSuccessMicros ?? 0) > 0)
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
