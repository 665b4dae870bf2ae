import { useEffect, useState } from "preact/hooks";
import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import type {
  ActivityJson,
  DescribePointInTimeResponseJson,
  HostJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { findBurst } from "../api/find-burst.js";
import { describePointInTime, getActivity, listPolicies } from "../api/host.js";
import { lastRestoreOf } from "../api/last-restore.js";
import { usePolled } from "../api/polled.js";
import { useMarks } from "../api/marks.js";
import { ActivityChart, type Gaps } from "../components/activity-chart.js";
import { ChangesAround } from "../components/changes-around.js";
import { MarksList } from "../components/marks-list.js";
import { Notice } from "../components/notice.js";
import { Preview } from "../components/preview.js";
import { TimeField } from "../components/time-field.js";
import { may } from "../api/may.js";
import { RestorePanel, type Scope } from "../components/restore-panel.js";
import { UndoPanel } from "../components/undo-panel.js";
import { refreshHost } from "../api/host-changes.js";
import { utcTime } from "../text/format.js";
import { durableIndex } from "../text/names.js";

const activityIntervalMs = 5_000;
/** For the names of destinations alone, which rarely change. */
const policiesIntervalMs = 60_000;
const buckets = 300;
const changesAround = 5;

interface Range {
  from?: number;
  to?: number;
}

const spans: [title: string, micros: number | undefined][] = [
  ["15 min", 900e6],
  ["1 h", 3_600e6],
  ["24 h", 86_400e6],
  ["7 d", 7 * 86_400e6],
  ["All", undefined],
];

/** Finds the moment before an accident, shows what a restore to it would change, and restores. */
export function Timeline({ host, operations }: { host: HostJson; operations: OperationJson[] }) {
  const indexLink = durableIndex;
  const [range, setRange] = useState<Range>({});
  const [span, setSpan] = useState("All");
  const [target, setTarget] = useState<number>();
  const [problem, setProblem] = useState("");
  const [scope, setScope] = useState<Scope>({ what: "whole", prefix: "" });
  const prefix = useSettled(scope.what === "path" ? scope.prefix : "");
  const policies = usePolled(listPolicies, policiesIntervalMs).answer?.policies ?? [];
  // What is there changes with a restore, also with one of somebody else.
  const lineage = lastRestoreOf(operations, indexLink)?.operation.name;
  const { answer: activity, error } = usePolled<ActivityJson>(
    (signal) => getActivity({ indexLink, buckets, ...range }, signal),
    activityIntervalMs,
    [range.from, range.to, lineage],
  );
  const around = useAround(indexLink, target);
  const hasDeletions = (activity?.buckets ?? []).some(({ deleted }) => Number(deleted ?? 0) > 0);
  const marks = useMarks(host, indexLink);
  const gaps = gapsOf(host, indexLink);
  const pick = (timeMicros: number | undefined) => {
    setProblem("");
    setTarget(timeMicros);
  };
  const beforeBurst = async () => {
    try {
      const found = await findBurst(indexLink, range, new AbortController().signal);
      if (found === undefined) setProblem("Nothing was deleted in this time.");
      else pick(found);
    } catch (thrown) {
      setProblem((thrown as Error).message);
    }
  };
  const step = (direction: "before" | "after") => {
    // At the time of a change, the change is kept; just before it, it is not.
    const [entry] = around?.[direction] ?? [];
    if (entry)
      pick(direction === "after" ? Number(entry.timeMicros) : Number(entry.timeMicros) - 1);
  };
  return (
    <>
      <h1>
        Timeline <small>{indexLink}</small>
      </h1>
      <div class="row" role="group" aria-label="Time shown">
        {spans.map(([title, micros]) => (
          <button
            key={title}
            type="button"
            aria-pressed={title === span}
            onClick={() => {
              setSpan(title);
              setRange(micros === undefined ? {} : { from: Date.now() * 1000 - micros });
            }}
          >
            {title}
          </button>
        ))}
      </div>
      <UndoPanel operations={operations} indexLink={indexLink} />
      {error && <Notice kind="bad">{error.message}</Notice>}
      {activity && (
        <ActivityChart
          activity={activity}
          target={target}
          marks={marks}
          gaps={gaps}
          onPick={pick}
          onRange={(from, to) => {
            setSpan("");
            setRange({ from, to });
          }}
        />
      )}
      <MarksList marks={marks} onPick={pick} />
      <div class="columns steady">
        <section class="card">
          <h2>Restore to</h2>
          <TimeField
            label="Time, in the zone of this browser"
            target={target}
            onPick={pick}
            onProblem={setProblem}
          />
          <div class="row">
            <button type="button" disabled={!hasDeletions} onClick={() => void beforeBurst()}>
              Before the burst of deletions
            </button>
            <button type="button" disabled={!around?.before?.length} onClick={() => step("before")}>
              ◀ One change
            </button>
            <button type="button" disabled={!around?.after?.length} onClick={() => step("after")}>
              One change ▶
            </button>
          </div>
          {problem !== "" && <Notice kind="warn">{problem}</Notice>}
          {target === undefined ? (
            <p>
              Click on the chart, type a time, or go to the moment before the deletions. Nothing
              changes until you confirm.
            </p>
          ) : (
            <p class="muted">In UTC: {utcTime(target)}</p>
          )}
        </section>
        {target !== undefined && <ChangesAround around={around} />}
        {target !== undefined && may("backup") && (
          <Preview
            key={`${target} ${prefix} ${lineage}`}
            indexLink={indexLink}
            timeMicros={target}
            prefix={prefix}
          />
        )}
      </div>
      <RestorePanel
        host={host}
        policies={policies}
        indexLink={indexLink}
        timeMicros={target}
        running={operations.filter(({ done }) => !done)}
        scope={scope}
        onScope={setScope}
        onRestored={refreshHost}
      />
    </>
  );
}

function gapsOf(host: HostJson, indexLink: string): Gaps {
  const index = (host.indexes ?? []).find(({ link }) => link === indexLink);
  const { earliestMicros, historyStartMicros } = index?.window ?? {};
  const [earliest, start] = [Number(earliestMicros ?? 0), Number(historyStartMicros ?? 0)];
  const positions = (host.backups ?? [])
    .filter((one) => one.indexLink === indexLink)
    .map((one) => Number(one.positionMicros ?? 0));
  return {
    restorableFrom: earliest > start ? earliest : 0,
    backedUpTo: Math.max(0, ...positions),
    position: Number(index?.positionMicros ?? 0),
  };
}

/** A text once nobody has typed for a moment. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), 500);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

function useAround(indexLink: string, target: number | undefined) {
  const [around, setAround] = useState<DescribePointInTimeResponseJson>();
  useEffect(() => {
    if (target === undefined) return;
    const abort = new AbortController();
    describePointInTime(indexLink, target, changesAround, abort.signal)
      .then(setAround)
      .catch(() => setAround(undefined));
    return () => abort.abort();
  }, [indexLink, target]);
  return around;
}
