import { useState } from "preact/hooks";
import type { DocumentJson } from "../../gen/ts/holdfast/document/v1/document_pb.js";
import { listVersions } from "../api/documents.js";
import { usePages } from "../api/pages.js";
import { Failure } from "./failure.js";
import { DocumentComparison } from "./document-comparison.js";
import { DocumentVersion } from "./document-version.js";
import { Notice } from "./notice.js";
import { nameOf } from "../text/names.js";
import { Time } from "./time.js";

/** The versions of a document: one is shown, and compared with another one. */
export function DocumentHistory({ link, indexLink }: { link: string; indexLink: string }) {
  const [changes, setChanges] = useState(0);
  const { items, hasMore, isLoading, error, more } = usePages<DocumentJson>(
    (pageToken, signal) =>
      listVersions(link, indexLink, pageToken, signal).then(
        ({ versions = [], nextPageToken = "" }) => ({ items: versions, next: nextPageToken }),
      ),
    [link, indexLink, changes],
  );
  const [restored, setRestored] = useState<string>();
  const [chosen, setChosen] = useState<string>();
  const [other, setOther] = useState<string>();
  const shown = chosen ?? items?.[0]?.version;
  // By default with the version before it.
  const compared =
    other ?? (shown !== undefined && Number(shown) > 0 ? String(Number(shown) - 1) : undefined);
  const [newest] = items ?? [];
  return (
    <section class="card" aria-busy={isLoading}>
      <h2 class="name">{link}</h2>
      {error && <Failure error={error} role="read" />}
      {restored !== undefined && (
        <Notice kind="good">Written as version {restored} of the live document.</Notice>
      )}
      {items && (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Show</th>
                <th scope="col">Compare with</th>
                <th scope="col">Version</th>
                <th scope="col">Action</th>
                <th scope="col">Written</th>
              </tr>
            </thead>
            <tbody>
              {items.map(({ version = "0", action, updateTimeMicros }) => (
                <tr key={version}>
                  <td>
                    <input
                      type="radio"
                      name="shown"
                      aria-label={`Show version ${version}`}
                      checked={version === shown}
                      onChange={() => setChosen(version)}
                    />
                  </td>
                  <td>
                    <input
                      type="radio"
                      name="compared"
                      aria-label={`Compare with version ${version}`}
                      checked={version === compared}
                      onChange={() => setOther(version)}
                    />
                  </td>
                  <td>{version}</td>
                  <td class={action === "DOCUMENT_ACTION_DELETE" ? "bad" : ""}>
                    {nameOf(action, "DOCUMENT_ACTION_")}
                  </td>
                  <td>
                    <Time micros={updateTimeMicros} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {hasMore && (
        <button type="button" disabled={isLoading} onClick={more}>
          Show older versions
        </button>
      )}
      {shown !== undefined && (
        <>
          <DocumentVersion
            key={`${shown} ${changes}`}
            link={link}
            indexLink={indexLink}
            version={shown}
            newest={indexLink === "" ? newest : undefined}
            onRestored={({ version }) => {
              setRestored(version);
              setChosen(undefined);
              setOther(undefined);
              setChanges(changes + 1);
            }}
          />
          <DocumentComparison link={link} indexLink={indexLink} version={shown} other={compared} />
        </>
      )}
    </section>
  );
}
