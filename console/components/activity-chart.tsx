import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { ActivityJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Mark } from "../api/marks.js";
import { count, localTime } from "../text/format.js";

const height = 220;

/** Pixels from which a movement is a drag, and not a click. */
const leastDrag = 5;

/** Where no restore goes, in microseconds since 1970. */
export interface Gaps {
  /** Earlier times are compacted; 0: none is. */
  restorableFrom: number;
  /** Writes after it are in no backup, */
  backedUpTo: number;
  /** up to this one, the last. */
  position: number;
}

/** Writes and deletions over time; a click chooses a time, a drag a range. */
export function ActivityChart({
  activity,
  target,
  marks,
  gaps,
  onPick,
  onRange,
}: {
  activity: ActivityJson;
  target: number | undefined;
  marks: Mark[];
  gaps: Gaps;
  onPick: (timeMicros: number) => void;
  onRange: (fromMicros: number, toMicros: number) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  // The chart outlives renders; it looks here for what changes.
  const shown = useRef({ target, marks, gaps, onPick, onRange });
  shown.current = { target, marks, gaps, onPick, onRange };
  const plot = useRef<uPlot>(undefined);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const chart = new uPlot(
      optionsOf(activity, element.clientWidth, () => shown.current),
      columnsOf(activity),
      element,
    );
    plot.current = chart;
    const resized = new ResizeObserver(() => {
      if (element.clientWidth > 0) chart.setSize({ width: element.clientWidth, height });
    });
    resized.observe(element);
    return () => {
      resized.disconnect();
      chart.destroy();
    };
  }, [activity]);
  useEffect(
    () => plot.current?.redraw(false),
    [target, marks, gaps.restorableFrom, gaps.backedUpTo],
  );

  return (
    <figure class="chart">
      <div ref={box} aria-hidden="true" />
      <figcaption>
        <span class="key writes" /> created and changed <span class="key deletes" /> deleted{" "}
        <span class="key backup" /> backup <span class="key test" /> restore test{" "}
        <span class="key restore" /> restore <span class="key gap" /> not in a backup, or not
        restorable any more. {summaryOf(activity)}
      </figcaption>
    </figure>
  );
}

const summaryOf = ({ buckets = [] }: ActivityJson) => {
  const sum = (of: "created" | "updated" | "deleted") =>
    buckets.reduce((total, one) => total + Number(one[of] ?? 0), 0);
  return `${count(sum("created"))} created, ${count(sum("updated"))} changed, ${count(sum("deleted"))} deleted.`;
};

/** Seconds of the middle of each bucket, writes and deletions by the square root; empty ones included. */
function columnsOf(activity: ActivityJson): uPlot.AlignedData {
  const start = Number(activity.startTimeMicros ?? 0);
  const width = Number(activity.bucketMicros ?? 1);
  const size = Math.max(1, Math.round((Number(activity.endTimeMicros ?? 0) - start) / width));
  const times = Array.from({ length: size }, (_, at) => (start + (at + 0.5) * width) / 1e6);
  const writes = new Array<number>(size).fill(0);
  const deletes = new Array<number>(size).fill(0);
  for (const bucket of activity.buckets ?? []) {
    const at = Math.round((Number(bucket.startTimeMicros) - start) / width);
    writes[at] = Number(bucket.created ?? 0) + Number(bucket.updated ?? 0);
    deletes[at] = Number(bucket.deleted ?? 0);
  }
  // Deletions stand on the writes.
  const total = writes.map((value, at) => Math.sqrt(value + (deletes[at] ?? 0)));
  return [times, total, writes.map(Math.sqrt)];
}

type Shown = Pick<
  Parameters<typeof ActivityChart>[0],
  "target" | "marks" | "gaps" | "onPick" | "onRange"
>;

function optionsOf(activity: ActivityJson, width: number, shown: () => Shown): uPlot.Options {
  const css = getComputedStyle(document.documentElement);
  const color = (name: string) => css.getPropertyValue(`--${name}`).trim();
  const bars = uPlot.paths.bars?.({ size: [0.9, 40, 1] });
  const series = (name: string): uPlot.Series => ({
    ...(bars && { paths: bars }),
    fill: color(name),
    points: { show: false },
  });
  const axis = { stroke: color("muted"), grid: { stroke: color("line"), width: 1 } };
  return {
    width,
    height,
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false, setScale: false } },
    scales: {
      x: {
        range: [Number(activity.startTimeMicros) / 1e6, Number(activity.endTimeMicros) / 1e6],
      },
      y: { range: (_, __, max) => [0, Math.max(1, max) * 1.1] },
    },
    axes: [
      {
        ...axis,
        values: (_, ticks, __, ___, step) => ticks.map((tick, at) => tickText(tick, step, at)),
      },
      {
        ...axis,
        size: 60,
        values: (_, ticks) => ticks.map((tick) => count(Math.round(tick * tick))),
      },
    ],
    series: [{}, series("bad"), series("accent")],
    hooks: {
      draw: [(chart) => drawOver(chart, shown(), color)],
      setSelect: [
        (chart) => {
          const at = (pixel: number) => Math.round(chart.posToVal(pixel, "x") * 1e6);
          const { left, width: selected } = chart.select;
          if (selected >= leastDrag) shown().onRange(at(left), at(left + selected));
          if (selected > 0) chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      ready: [
        (chart) => {
          const { over } = chart;
          let pressedAt = 0;
          over.addEventListener("pointerdown", ({ clientX }) => (pressedAt = clientX));
          // A click ends a drag, too.
          over.addEventListener("click", ({ clientX, offsetX }) => {
            if (Math.abs(clientX - pressedAt) < leastDrag)
              shown().onPick(Math.round(chart.posToVal(offsetX, "x") * 1e6));
          });
        },
      ],
    },
  };
}

/** A time of the axis: with its day where that is new, and as fine as the steps between the times. */
function tickText(seconds: number, step: number, at: number): string {
  const text = localTime(Math.round(seconds * 1e6));
  const [day, time] = [text.slice(0, 10), text.slice(11)];
  if (step >= 86_400) return day;
  const short = time.slice(0, step >= 60 ? 5 : step >= 1 ? 8 : 12);
  return at === 0 || short.startsWith("00:00") ? `${short}\n${day}` : short;
}

/** Shades what a restore discards and where none goes, and marks the target, the backups and the tests. */
function drawOver(
  chart: uPlot,
  { target, marks, gaps }: Pick<Shown, "target" | "marks" | "gaps">,
  color: (name: string) => string,
): void {
  const { ctx, bbox } = chart;
  const xOf = (micros: number) => chart.valToPos(micros / 1e6, "x", true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const [left, right] = [bbox.left, bbox.left + bbox.width];
  ctx.fillStyle = color("warn");
  ctx.globalAlpha = 0.15;
  if (gaps.restorableFrom > 0) {
    const end = Math.min(right, xOf(gaps.restorableFrom));
    ctx.fillRect(left, bbox.top, end - left, bbox.height);
  }
  if (gaps.backedUpTo < gaps.position) {
    const begin = Math.max(left, xOf(gaps.backedUpTo));
    ctx.fillRect(begin, bbox.top, Math.min(right, xOf(gaps.position)) - begin, bbox.height);
  }
  ctx.globalAlpha = 1;
  for (const { kind, timeMicros } of marks) {
    const [x, y] = [xOf(timeMicros), bbox.top + bbox.height - 6];
    ctx.fillStyle = color(kind === "restore" ? "mark" : kind.startsWith("failed") ? "bad" : "good");
    ctx.beginPath();
    if (kind === "backup") ctx.arc(x, y, 5, 0, 2 * Math.PI);
    else if (kind === "restore") ctx.rect(x - 1, bbox.top, 2, bbox.height);
    else ctx.rect(x - 5, y - 16, 10, 10);
    ctx.fill();
  }
  if (target !== undefined) {
    const x = xOf(target);
    ctx.globalAlpha = 0.35;
    ctx.fillStyle = color("shade");
    ctx.fillRect(x, bbox.top, bbox.left + bbox.width - x, bbox.height);
    ctx.globalAlpha = 1;
    ctx.fillStyle = color("mark");
    ctx.fillRect(x - 1, bbox.top, 3, bbox.height);
  }
  ctx.restore();
}
