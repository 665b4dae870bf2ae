import type { Mark } from "../api/marks.js";
import { localTime } from "../text/format.js";

const shown = 50;

/** The marks of the chart as text; a time of it can be chosen. */
export function MarksList({
  marks,
  onPick,
}: {
  marks: Mark[];
  onPick: (timeMicros: number) => void;
}) {
  if (marks.length === 0) return null;
  return (
    <details class="card">
      <summary>
        <h2>Backups, restore tests and restores</h2>
      </summary>
      <ul class="plain">
        {marks.slice(0, shown).map(({ kind, timeMicros, text }) => (
          <li key={`${kind} ${timeMicros} ${text}`}>
            <button type="button" class="plain" onClick={() => onPick(timeMicros)}>
              {localTime(timeMicros)}
            </button>{" "}
            {text}
          </li>
        ))}
      </ul>
    </details>
  );
}
