import { useEffect, useState } from "preact/hooks";
import { localTime, localZone } from "../text/format.js";
import { parseTime } from "../text/parse-time.js";

/** A time that is typed, in the zone of this browser or another one. What is typed counts once it is set. */
export function TimeField({
  label,
  target,
  onPick,
  onProblem,
}: {
  label: string;
  target: number | undefined;
  /** Undefined: while another time is typed, none is chosen. */
  onPick: (timeMicros: number | undefined) => void;
  onProblem: (problem: string) => void;
}) {
  const [text, setText] = useState("");
  useEffect(() => {
    if (target !== undefined) setText(localTime(target));
  }, [target]);
  const submit = (event: Event) => {
    event.preventDefault();
    const time = parseTime(text);
    if (time === undefined)
      onProblem(
        "This is no time. Type one like 2026-11-27 19:36:00, 19:36, or 2026-11-27 19:36:00 +01:00.",
      );
    else onPick(time);
  };
  return (
    <form class="row" onSubmit={submit}>
      <input
        aria-label={`${label} (${localZone()})`}
        class="time"
        placeholder={`2026-11-27 19:36:00, ${localZone()}`}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          if (target !== undefined) onPick(undefined);
        }}
      />
      <button type="submit">Set</button>
    </form>
  );
}
