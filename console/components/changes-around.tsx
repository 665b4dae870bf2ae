import type {
  DescribePointInTimeResponseJson,
  LogEntryJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { count, localTime } from "../text/format.js";
import { documentRoute } from "../text/routes.js";

/** The last changes that a restore keeps, and the first that it discards. */
export function ChangesAround({
  around,
}: {
  /** Undefined: not known yet. */
  around: DescribePointInTimeResponseJson | undefined;
}) {
  const { before = [], after = [], versionsAfter } = around ?? {};
  return (
    <section class="card" aria-busy={!around}>
      <h2>Changes around it</h2>
      <div class="scroll">
        <table>
          <thead class="hidden">
            <tr>
              <th>Time</th>
              <th>Change</th>
              <th>Document</th>
            </tr>
          </thead>
          <tbody>
            {[...after].reverse().map((entry) => (
              <Row key={entry.timeMicros} entry={entry} isDiscarded />
            ))}
            <tr class="cut">
              <td colSpan={3}>restore point</td>
            </tr>
            {before.map((entry) => (
              <Row key={entry.timeMicros} entry={entry} />
            ))}
          </tbody>
        </table>
      </div>
      <p class="muted">{count(versionsAfter)} changes after it.</p>
    </section>
  );
}

function Row({ entry, isDiscarded = false }: { entry: LogEntryJson; isDiscarded?: boolean }) {
  const { timeMicros, action, selfLink } = entry;
  return (
    <tr class={isDiscarded ? "discarded" : ""}>
      <td class="whole">{localTime(Number(timeMicros)).slice(11)}</td>
      <td class={action === "DELETE" ? "whole bad" : "whole"}>{action}</td>
      <td>
        <a href={documentRoute(selfLink ?? "")}>{selfLink}</a>
      </td>
    </tr>
  );
}
