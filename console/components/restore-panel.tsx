import { useState } from "preact/hooks";
import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import type {
  HostJson,
  RestoreRequestJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { may } from "../api/may.js";
import { follow } from "../api/follow.js";
import { metadataOf, restoreResultOf, startBackup, startRestore, startUndo } from "../api/host.js";
import { count, duration, localTime } from "../text/format.js";
import { NeedsRole } from "./needs-role.js";
import { toUri } from "../text/uri.js";
import { Notice } from "./notice.js";
import { OpenBeside } from "./open-beside.js";
import { OperationProgress } from "./operation-progress.js";

/** How far a restore is. */
type State =
  | { step: "ready" }
  | { step: "running"; what: string; operation?: OperationJson }
  | { step: "failed"; message: string }
  | { step: "checked"; operation: OperationJson }
  | { step: "restored"; operation: OperationJson; tookMicros: number }
  | { step: "undone" };

/** What comes back: everything, documents below a path, or nothing yet: a look beside the live index. */
export interface Scope {
  what: "whole" | "path" | "beside";
  /** Of "path": the beginning of the links. */
  prefix: string;
}

/** Backs up what is there now, restores to a time after a typed confirmation, and undoes that. */
export function RestorePanel({
  host,
  indexLink,
  timeMicros,
  running,
  scope,
  onScope,
}: {
  host: HostJson;
  indexLink: string;
  timeMicros: number | undefined;
  running: OperationJson[];
  scope: Scope;
  onScope: (scope: Scope) => void;
}) {
  const known = [
    ...new Set(
      (host.backups ?? [])
        .filter((one) => one.indexLink === indexLink)
        .map(({ destination }) => destination ?? ""),
    ),
  ];
  const [destination, setDestination] = useState("");
  const [typed, setTyped] = useState("");
  const [state, setState] = useState<State>({ step: "ready" });
  const source = toUri(destination) || known[0] || "";
  const others = running.filter((one) => metadataOf(one).kind === "OPERATION_KIND_RESTORE");

  const track = (what: string, started: OperationJson) =>
    follow(started, (operation) => setState({ step: "running", what, operation }));
  const attempt = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      setState({ step: "failed", message: (error as Error).message });
    }
  };
  const restore = (validateOnly: boolean) =>
    attempt(async () => {
      if (timeMicros === undefined) return;
      const begun = performance.now();
      // The log of the live index is what a restore to any moment needs; and nothing is lost with it.
      setState({ step: "running", what: "Backing up what is there now" });
      const backup = await startBackup({
        destination: source,
        container: "CONTAINER_DIRECTORY",
        indexLink,
      });
      await track("Backing up what is there now", backup);
      const request: RestoreRequestJson = {
        source,
        indexLink,
        targetTimeMicros: String(timeMicros),
        validateOnly,
        ...(scope.what === "path" && { selection: { prefixes: [scope.prefix] } }),
      };
      const done = await track(
        validateOnly ? "Checking the restore" : "Restoring",
        await startRestore(request),
      );
      setTyped("");
      setState(
        validateOnly
          ? { step: "checked", operation: done }
          : { step: "restored", operation: done, tookMicros: (performance.now() - begun) * 1000 },
      );
    });
  const undo = () =>
    attempt(async () => {
      await track("Undoing the restore", await startUndo(indexLink));
      setState({ step: "undone" });
    });

  const isBusy = state.step === "running";
  const isComplete = scope.what !== "path" || scope.prefix !== "";
  const isReady = timeMicros !== undefined && source !== "" && isComplete && !isBusy;
  return (
    <section class="card restore">
      <h2>Bring it back</h2>
      {others.length > 0 && !isBusy && (
        <Notice kind="warn">
          Somebody is restoring this index now: {metadataOf(others[0] ?? {}).stage}.
        </Notice>
      )}
      <fieldset disabled={isBusy}>
        <legend class="hidden">What to restore</legend>
        <label class="check">
          <input
            type="radio"
            name="what"
            checked={scope.what === "whole"}
            onChange={() => onScope({ ...scope, what: "whole" })}
          />
          The whole index, as it was{" "}
          {timeMicros === undefined ? "at the time you choose" : `on ${localTime(timeMicros)}`}
        </label>
        <label class="check">
          <input
            type="radio"
            name="what"
            checked={scope.what === "path"}
            onChange={() => onScope({ ...scope, what: "path" })}
          />
          Only documents whose links begin with
        </label>
        {scope.what === "path" && (
          <input
            aria-label="Beginning of the links"
            placeholder="/core/examples/"
            value={scope.prefix}
            onInput={(event) => onScope({ ...scope, prefix: event.currentTarget.value })}
          />
        )}
        <label class="check">
          <input
            type="radio"
            name="what"
            checked={scope.what === "beside"}
            onChange={() => onScope({ ...scope, what: "beside" })}
          />
          Nothing yet: open it beside the live index, to look at it and take single documents
        </label>
      </fieldset>
      {scope.what === "beside" ? (
        <OpenBeside indexLink={indexLink} timeMicros={timeMicros} />
      ) : may("restore") && may("backup") ? (
        <fieldset disabled={isBusy}>
          <legend class="hidden">How to restore</legend>
          <label for="destination">From the backups at</label>
          <input
            id="destination"
            list="destinations"
            placeholder={known[0] ?? "directory or URI"}
            value={destination}
            onInput={(event) => setDestination(event.currentTarget.value)}
          />
          <datalist id="destinations">
            {known.map((one) => (
              <option key={one} value={one} />
            ))}
          </datalist>
          <p class="muted">
            A backup of what is there now is made first. Reads go on; writes stop for about a
            second.
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
            <button
              type="button"
              class="danger"
              disabled={!isReady || typed !== indexLink}
              onClick={() => void restore(false)}
            >
              Restore
            </button>
            <button type="button" disabled={!isReady} onClick={() => void restore(true)}>
              Try without changing anything
            </button>
          </div>
        </fieldset>
      ) : (
        <NeedsRole role={may("restore") ? "backup" : "restore"} />
      )}
      <div aria-live="polite">
        {state.step === "running" && (
          <OperationProgress what={state.what} operation={state.operation} />
        )}
        {state.step === "failed" && <Notice kind="bad">{state.message}</Notice>}
        {state.step === "checked" && <Checked operation={state.operation} />}
        {state.step === "undone" && (
          <Notice kind="good">Undone: the index is as it was before the restore.</Notice>
        )}
        {state.step === "restored" && (
          <Notice kind="good">
            Restored in {duration(state.tookMicros)}:{" "}
            {count(restoreResultOf(state.operation).documents)} documents.{" "}
            {scope.what === "whole" && (
              <button type="button" onClick={() => void undo()}>
                Undo
              </button>
            )}
          </Notice>
        )}
      </div>
    </section>
  );
}

function Checked({ operation }: { operation: OperationJson }) {
  const { plan, documents, selection } = restoreResultOf(operation);
  return (
    <Notice kind="good">
      It would work: {count(documents ?? selection?.created)} documents
      {plan?.discardedVersions &&
        `, and ${count(plan.discardedVersions)} changes would be discarded`}
      . Nothing was changed.
    </Notice>
  );
}
