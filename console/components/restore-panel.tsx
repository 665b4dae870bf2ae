import { useState } from "preact/hooks";
import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import { knownDestinations } from "../api/destinations.js";
import { metadataOf } from "../api/host.js";
import { may } from "../api/may.js";
import { restore, tryRestore, type Restored } from "../api/restore.js";
import type { HostJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import type { BackupPolicyJson } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { localTime } from "../text/format.js";
import { toUri } from "../text/uri.js";
import { NeedsRole } from "./needs-role.js";
import { Notice } from "./notice.js";
import { OpenBeside } from "./open-beside.js";
import { OperationProgress } from "./operation-progress.js";
import { RestoreOutcome } from "./restore-outcome.js";

/** What comes back: everything, documents below a path, or nothing yet: a look beside the live index. */
export interface Scope {
  what: "whole" | "path" | "beside";
  /** Of "path": the beginning of the links. */
  prefix: string;
}

/** How far a restore is. */
type State =
  | { step: "ready" }
  | { step: "running"; what: string; operation?: OperationJson }
  | { step: "failed"; message: string }
  | { step: "done"; restored: Restored };

const choices: [what: Scope["what"], text: string][] = [
  ["whole", "The whole index, as it was then"],
  ["path", "Only documents whose links begin with"],
  ["beside", "Nothing yet: open it beside the live index, to look at it and take single documents"],
];

/** Brings an index, or some of its documents, back to a time, after a typed confirmation. */
export function RestorePanel({
  host,
  policies,
  indexLink,
  timeMicros,
  running,
  scope,
  onScope,
  onRestored,
}: {
  host: HostJson;
  policies: BackupPolicyJson[];
  indexLink: string;
  timeMicros: number | undefined;
  running: OperationJson[];
  scope: Scope;
  onScope: (scope: Scope) => void;
  onRestored: () => void;
}) {
  const [state, setState] = useState<State>({ step: "ready" });
  const others = running.filter((one) => metadataOf(one).kind === "OPERATION_KIND_RESTORE");
  const isBusy = state.step === "running";
  const run = async (source: string, validateOnly: boolean) => {
    if (timeMicros === undefined) return;
    const wanted = {
      source,
      indexLink,
      timeMicros,
      prefix: scope.what === "path" ? scope.prefix : "",
    };
    const report = (what: string, operation?: OperationJson) =>
      setState({ step: "running", what, ...(operation && { operation }) });
    try {
      const restored = await (validateOnly ? tryRestore : restore)(wanted, report);
      setState({ step: "done", restored });
      if (!validateOnly) onRestored();
    } catch (error) {
      setState({ step: "failed", message: (error as Error).message });
    }
  };
  return (
    <section class="card restore">
      <h2>Bring it back</h2>
      {others.length > 0 && !isBusy && (
        <Notice kind="warn">
          Somebody is restoring this index now: {metadataOf(others[0] ?? {}).stage}.
        </Notice>
      )}
      <fieldset disabled={isBusy}>
        <legend>
          {timeMicros === undefined ? "Choose a time above." : `As of ${localTime(timeMicros)}:`}
        </legend>
        {choices.map(([what, text]) => (
          <label key={what} class="check">
            <input
              type="radio"
              name="what"
              checked={scope.what === what}
              onChange={() => onScope({ ...scope, what })}
            />
            {text}
          </label>
        ))}
        {scope.what === "path" && (
          <input
            aria-label="Beginning of the links"
            placeholder="/core/examples/"
            value={scope.prefix}
            onInput={(event) => onScope({ ...scope, prefix: event.currentTarget.value })}
          />
        )}
      </fieldset>
      {scope.what === "beside" ? (
        <OpenBeside
          pointInTime={
            timeMicros === undefined
              ? undefined
              : { indexLink, targetTimeMicros: String(timeMicros) }
          }
        />
      ) : may("restore") && may("backup") ? (
        <Confirmation
          indexLink={indexLink}
          known={knownDestinations(host, policies).map(({ uri }) => uri)}
          isReady={timeMicros !== undefined && (scope.what === "whole" || scope.prefix !== "")}
          isBusy={isBusy}
          onRun={(source, validateOnly) => void run(source, validateOnly)}
        />
      ) : (
        <NeedsRole role={may("restore") ? "backup" : "restore"} />
      )}
      <div aria-live="polite">
        {state.step === "running" && (
          <OperationProgress what={state.what} operation={state.operation} />
        )}
        {state.step === "failed" && <Notice kind="bad">{state.message}</Notice>}
        {state.step === "done" && <RestoreOutcome restored={state.restored} />}
      </div>
    </section>
  );
}

/** Where the backup that is made first goes, and the typed name of the index. */
function Confirmation({
  indexLink,
  known,
  isReady,
  isBusy,
  onRun,
}: {
  indexLink: string;
  /** Destinations that the host knows, the best first. */
  known: string[];
  isReady: boolean;
  isBusy: boolean;
  onRun: (source: string, validateOnly: boolean) => void;
}) {
  const [destination, setDestination] = useState<string>();
  const [isNewWanted, setNewWanted] = useState(false);
  const [typed, setTyped] = useState("");
  const source = toUri(destination ?? known[0] ?? "");
  const isKnown = known.includes(source);
  const canTry = isReady && isKnown && !isBusy;
  const canRestore =
    isReady && source !== "" && (isKnown || isNewWanted) && typed === indexLink && !isBusy;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (!canRestore) return;
        setTyped("");
        onRun(source, false);
      }}
    >
      <fieldset disabled={isBusy}>
        <legend class="hidden">How to restore</legend>
        <label for="destination">Back up what is there now to, and restore from</label>
        <input
          id="destination"
          list="destinations"
          placeholder="directory of the host, or URI"
          value={destination ?? known[0] ?? ""}
          onInput={(event) => {
            setDestination(event.currentTarget.value);
            setNewWanted(false);
          }}
        />
        <datalist id="destinations">
          {known.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
        {source !== "" && !isKnown && (
          <label class="check">
            <input
              type="checkbox"
              checked={isNewWanted}
              onChange={(event) => setNewWanted(event.currentTarget.checked)}
            />
            The host knows of no backups there. Make one there now.
          </label>
        )}
        <p class="muted">
          The backup that is made first is pinned, so that nothing is lost. Reads go on; writes stop
          for about a second.
        </p>
        <label for="confirm">
          Type <code>{indexLink}</code> to restore
        </label>
        <input
          id="confirm"
          autocomplete="off"
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <div class="row">
          <button type="submit" class="danger" disabled={!canRestore}>
            Restore
          </button>
          <button type="button" disabled={!canTry} onClick={() => onRun(source, true)}>
            Try without changing anything
          </button>
        </div>
      </fieldset>
    </form>
  );
}
