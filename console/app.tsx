import { signal } from "@preact/signals";
import { getHost, listOperations, metadataOf } from "./api/host.js";
import { hostChanges } from "./api/host-changes.js";
import { roles } from "./api/may.js";
import { usePolled } from "./api/polled.js";
import { isSignedOut, signOut, token } from "./api/session.js";
import { Login } from "./components/login.js";
import { Notice } from "./components/notice.js";
import { Backups } from "./screens/backups.js";
import { Documents } from "./screens/documents.js";
import { Operations } from "./screens/operations.js";
import { Overview } from "./screens/overview.js";
import { Policies } from "./screens/policies.js";
import { Timeline } from "./screens/timeline.js";
import { durableIndex } from "./text/names.js";
import { partsOf } from "./text/routes.js";

const screens = [
  ["overview", "Overview"],
  ["timeline", "Timeline"],
  ["backups", "Backups"],
  ["policies", "Policies"],
  ["documents", "Documents"],
  ["operations", "Operations"],
] as const;

const location = signal(window.location.hash);
window.addEventListener("hashchange", () => (location.value = window.location.hash));

const hostIntervalMs = 5_000;
const operationsIntervalMs = 2_000;

/** Asks what the host is, and what the token allows. */
async function askHost(signal: AbortSignal) {
  const host = await getHost(signal);
  roles.value = host.caller?.roles ?? [];
  return host;
}

/** The frame of all screens: where one is, whether one is protected, and what is under way. */
export function App() {
  const named = /^#\/(\w+)/.exec(location.value)?.[1];
  const wanted = screens.find(([name]) => name === named)?.[0] ?? "overview";
  const host = usePolled(askHost, hostIntervalMs, [
    token.value,
    isSignedOut.value,
    hostChanges.value,
  ]);
  const operations = usePolled(listOperations, operationsIntervalMs, [
    token.value,
    isSignedOut.value,
  ]);
  if (isSignedOut.value) return <Login />;
  const all = operations.answer?.operations ?? [];
  const running = all.filter(({ done }) => !done);
  const restoring = running
    .map(metadataOf)
    .find(
      ({ kind }) => kind === "OPERATION_KIND_RESTORE" || kind === "OPERATION_KIND_UNDO_RESTORE",
    );
  return (
    <>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <header>
        <strong class="brand">Holdfast</strong>
        <nav aria-label="Screens">
          {screens.map(([name, title]) => (
            <a key={name} href={`#/${name}`} aria-current={name === wanted ? "page" : undefined}>
              {title}
            </a>
          ))}
        </nav>
        {host.answer && <Health healthy={host.answer.backupsHealthy ?? false} />}
        {host.answer?.caller?.tokenName && (
          <span class="muted">
            {host.answer.caller.tokenName} ({host.answer.caller.roles?.join(", ")})
          </span>
        )}
        {token.value !== undefined && (
          <button type="button" class="plain" onClick={signOut}>
            Sign out
          </button>
        )}
      </header>
      <main id="content" tabIndex={-1}>
        {host.error && (
          <Notice kind="bad">
            {host.error.message} {host.answer && "What is shown is older."}
          </Notice>
        )}
        {restoring && wanted !== "timeline" && (
          <Notice kind="warn">
            {restoring.indexLink ?? durableIndex} is being restored: {restoring.stage}.{" "}
            <a href="#/operations">Look</a>
          </Notice>
        )}
        {host.answer && wanted === "overview" && <Overview host={host.answer} operations={all} />}
        {host.answer && wanted === "timeline" && <Timeline host={host.answer} operations={all} />}
        {host.answer && wanted === "backups" && <Backups host={host.answer} />}
        {wanted === "policies" && <Policies running={running} />}
        {host.answer && wanted === "documents" && (
          <Documents host={host.answer} parts={partsOf(location.value)} />
        )}
        {wanted === "operations" && <Operations {...operations} />}
      </main>
    </>
  );
}

function Health({ healthy }: { healthy: boolean }) {
  return (
    <span class={healthy ? "pill good" : "pill bad"} role="status">
      {healthy ? "protected" : "needs attention"}
    </span>
  );
}
