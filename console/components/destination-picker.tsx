import { useState } from "preact/hooks";
import type { KnownDestination } from "../api/destinations.js";
import { toUri } from "../text/uri.js";

const other = "";

/** Chooses a destination: one that the host knows, or one that is typed. */
export function DestinationPicker({
  known,
  uri,
  onPick,
}: {
  known: KnownDestination[];
  uri: string;
  onPick: (uri: string) => void;
}) {
  const [isTyping, setTyping] = useState(uri !== "" && !known.some((one) => one.uri === uri));
  const [typed, setTyped] = useState(uri);
  const submit = (event: Event) => {
    event.preventDefault();
    if (typed.trim() !== "") onPick(toUri(typed));
  };
  const isOther = isTyping || known.length === 0;
  return (
    <form onSubmit={submit}>
      <label for="destination">Destination</label>
      <select
        id="destination"
        value={isOther ? other : uri}
        onChange={({ currentTarget: { value } }) => {
          setTyping(value === other);
          if (value !== other) onPick(value);
        }}
      >
        {known.map((one) => (
          <option key={one.uri} value={one.uri}>
            {one.uri}
            {one.use !== "" && ` (${one.use})`}
          </option>
        ))}
        <option value={other}>Another one…</option>
      </select>
      {isOther && (
        <div class="row">
          <input
            aria-label="Directory of the host, or URI"
            placeholder="/srv/backups, or s3://BUCKET/PATH"
            class="time"
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
          <button type="submit" disabled={typed.trim() === ""}>
            List
          </button>
        </div>
      )}
    </form>
  );
}
