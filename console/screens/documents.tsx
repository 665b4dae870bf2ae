import { useState } from "preact/hooks";
import type { DocumentJson } from "../../gen/ts/holdfast/document/v1/document_pb.js";
import type { HostJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { listDocuments, type DocumentQuery } from "../api/documents.js";
import { may } from "../api/may.js";
import { usePages } from "../api/pages.js";
import { DocumentHistory } from "../components/document-history.js";
import { Failure } from "../components/failure.js";
import { NeedsRole } from "../components/needs-role.js";
import { Notice } from "../components/notice.js";
import { OpenedIndexes } from "../components/opened-indexes.js";
import { Time } from "../components/time.js";
import { TimeField } from "../components/time-field.js";
import { counted, localTime } from "../text/format.js";
import { documentRoute, indexRoute } from "../text/routes.js";

/** Browses documents, now, at a time, or in an opened backup; shows their versions, and restores one. */
export function Documents({ host, parts }: { host: HostJson; parts: string[] }) {
  const [link = "", indexLink = ""] = parts;
  return (
    <>
      <h1>Documents</h1>
      {may("read") ? (
        <>
          <OpenedIndexes opened={host.openedIndexes ?? []} />
          <div class="browser">
            <Browser key={indexLink} host={host} indexLink={indexLink} chosen={link} />
            {link !== "" && (
              <DocumentHistory key={`${link} ${indexLink}`} link={link} indexLink={indexLink} />
            )}
          </div>
        </>
      ) : (
        <NeedsRole role="read" />
      )}
    </>
  );
}

function Browser({
  host,
  indexLink,
  chosen,
}: {
  host: HostJson;
  indexLink: string;
  chosen: string;
}) {
  const factories = (host.factories ?? []).map((one) => one.link ?? "");
  const opened = (host.openedIndexes ?? []).find((one) => one.indexLink === indexLink);
  const ofChosen = factories.find((one) => chosen.startsWith(`${one}/`));
  const [factoryLink, setFactory] = useState(ofChosen ?? factories[0] ?? "");
  const [typed, setTyped] = useState("");
  const [filter, setFilter] = useState("");
  const [timeMicros, setTime] = useState<number>();
  const [problem, setProblem] = useState("");
  return (
    <section class="card">
      <div class="row">
        <label>
          Below{" "}
          <select value={factoryLink} onChange={(event) => setFactory(event.currentTarget.value)}>
            {factories.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
        <label>
          In{" "}
          <select
            value={indexLink}
            onChange={(event) => (window.location.hash = indexRoute(event.currentTarget.value))}
          >
            <option value="">the live index</option>
            {(host.openedIndexes ?? []).map((one) => (
              <option key={one.indexLink} value={one.indexLink}>
                {one.indexLink}
              </option>
            ))}
          </select>
        </label>
      </div>
      {indexLink !== "" && !opened && (
        <Notice kind="warn">
          {indexLink} is not open any more. <a href={indexRoute("")}>To the live index</a>
        </Notice>
      )}
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          setFilter(filterOf(typed.trim(), factoryLink));
        }}
      >
        <input
          aria-label="Filter"
          class="time"
          placeholder="Beginning of a name, or a filter: counter gt 5 and name eq 'a*'"
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <button type="submit">Filter</button>
      </form>
      <p class="muted">As of a time, in the zone of this browser:</p>
      <TimeField
        label="As of a time, in the zone of this browser"
        target={timeMicros}
        onPick={(micros) => {
          setProblem("");
          setTime(micros);
        }}
        onProblem={setProblem}
      />
      {timeMicros !== undefined && (
        <p>
          As of {localTime(timeMicros)}.{" "}
          <button type="button" class="plain" onClick={() => setTime(undefined)}>
            Back to now
          </button>
        </p>
      )}
      {problem !== "" && <Notice kind="warn">{problem}</Notice>}
      <OpenLink factoryLink={factoryLink} indexLink={indexLink} />
      <Found query={{ factoryLink, filter, indexLink, timeMicros }} chosen={chosen} />
    </section>
  );
}

/** A word is the beginning of names; anything else is a filter of OData. */
const filterOf = (typed: string, factoryLink: string) =>
  /^[^\s()'*]+$/.test(typed) ? `documentSelfLink eq '${factoryLink}/${typed}*'` : typed;

/** Opens a document by its link or its name, also a deleted one, which no list shows. */
function OpenLink({ factoryLink, indexLink }: { factoryLink: string; indexLink: string }) {
  const [typed, setTyped] = useState("");
  const open = (event: Event) => {
    event.preventDefault();
    const name = typed.trim();
    if (name === "") return;
    const link = name.startsWith("/") ? name : `${factoryLink}/${name}`;
    window.location.hash = documentRoute(link, indexLink);
  };
  return (
    <form class="row" onSubmit={open}>
      <input
        aria-label="Name or link, also of a deleted document"
        class="time"
        placeholder="Name or link, also of a deleted document"
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
      />
      <button type="submit">Show</button>
    </form>
  );
}

function Found({ query, chosen }: { query: DocumentQuery; chosen: string }) {
  const { factoryLink, filter, indexLink, timeMicros } = query;
  const { items, hasMore, isLoading, error, more } = usePages<DocumentJson>(
    (pageToken, signal) =>
      factoryLink === ""
        ? undefined
        : listDocuments(query, pageToken, signal).then(
            ({ documents = [], nextPageToken = "" }) => ({
              items: documents,
              next: nextPageToken,
            }),
          ),
    [factoryLink, filter, indexLink, timeMicros],
  );
  return (
    <div aria-busy={isLoading}>
      {error && <Failure error={error} role="read" />}
      {items && (
        <p class="muted" role="status">
          {items.length === 0 && !hasMore
            ? "No documents."
            : `${counted(items.length, "document")}${hasMore ? ", and more" : ""}`}
        </p>
      )}
      <ul class="plain found">
        {(items ?? []).map(({ selfLink = "", version, updateTimeMicros }) => (
          <li key={selfLink}>
            <a
              href={documentRoute(selfLink, indexLink)}
              aria-current={selfLink === chosen ? "true" : undefined}
            >
              {selfLink.slice(factoryLink.length + 1)}
            </a>{" "}
            <span class="muted">
              version {version}, <Time micros={updateTimeMicros} />
            </span>
          </li>
        ))}
      </ul>
      {hasMore && (
        <button type="button" disabled={isLoading} onClick={more}>
          Show more
        </button>
      )}
    </div>
  );
}
