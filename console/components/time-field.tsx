import { useEffect, useState } from "preact/hooks";
import { localTime, parseTime } from "../text/format.js";

/** A time that is typed, in the zone of this browser or another one. */
export function TimeField({
  label,
  target,
  onPick,
  onProblem,
}: {
  label: string;
  target: number | undefined;
  onPick: (timeMicros: number) => void;
  onProblem: (problem: string) => void;
}) {
  const [text, setText] = useState("");
  useEffect(() => setText(target === undefined ? "" : localTime(target)), [target]);
  const submit = (event: Event) => {
    event.preventDefault();
    const time = parseTime(text);
    if (time === undefined)
      onProblem("Type a time like 2026-11-27 19:36:00, or with a zone at its end.");
    else onPick(time);
  };
  return (
    <form class="row" onSubmit={submit}>
      <input
        aria-label={label}
        class="time"
        placeholder="2026-11-27 19:36:00"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <button type="submit">Set</button>
    </form>
  );
}
