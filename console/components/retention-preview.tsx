import { useState } from "preact/hooks";
import type {
  PreviewPolicyResponseJson,
  RetentionDecisionJson,
} from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { bytes, count } from "../text/format.js";
import { Notice } from "./notice.js";
import { Time } from "./time.js";

const step = 20;

/** Which backups retention would remove and keep now, and why; what goes first. */
export function RetentionPreview({ preview }: { preview: PreviewPolicyResponseJson }) {
  const { decisions = [], warnings = [], freedBytes } = preview;
  const [shown, setShown] = useState(step);
  const goes = decisions.filter(({ keep }) => !keep);
  const stays = decisions.filter(({ keep }) => keep);
  const all = [...goes, ...stays];
  return (
    <div aria-live="polite">
      <p>
        <strong>{count(goes.length)} go</strong>, which frees {bytes(freedBytes)}, and{" "}
        <strong>{count(stays.length)} stay</strong>. Nothing was removed.
      </p>
      {warnings.map((one) => (
        <Notice key={one} kind="warn">
          {one}
        </Notice>
      ))}
      {all.length > 0 && (
        <table class="stack">
          <thead>
            <tr>
              <th scope="col">Backup</th>
              <th scope="col">Effect</th>
              <th scope="col">Why</th>
              <th scope="col">Destination</th>
            </tr>
          </thead>
          <tbody>
            {all.slice(0, shown).map((one) => (
              <Decision key={`${one.destination} ${one.backupName}`} one={one} />
            ))}
          </tbody>
        </table>
      )}
      {all.length > shown && (
        <button type="button" onClick={() => setShown(shown + step)}>
          Show {count(Math.min(step, all.length - shown))} more of {count(all.length - shown)}
        </button>
      )}
    </div>
  );
}

function Decision({ one }: { one: RetentionDecisionJson }) {
  const { createTimeMicros, keep, reasons = [], destination } = one;
  return (
    <tr>
      <th scope="row" data-label="Backup">
        <Time micros={createTimeMicros} />
      </th>
      <td data-label="Effect" class={keep ? "good" : "warn"}>
        {keep ? "stays" : "goes"}
      </td>
      <td data-label="Why">{reasons.join(", ")}</td>
      <td data-label="Destination">{destination}</td>
    </tr>
  );
}
