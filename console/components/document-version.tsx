import { useEffect, useState } from "preact/hooks";
import type { DocumentJson } from "../../gen/ts/holdfast/document/v1/document_pb.js";
import { useAttempt } from "../api/attempt.js";
import { getVersion, restoreVersion, textOf } from "../api/documents.js";
import { may } from "../api/may.js";
import type { ApiError } from "../api/request.js";
import { prettyJson } from "../text/pretty-json.js";
import { Failure } from "./failure.js";
import { Notice } from "./notice.js";

/** Characters of a document that are shown; the rest is downloaded by other means. */
const shownCharacters = 20_000;

/** The fields of a version, and a way to write them again. */
export function DocumentVersion({
  link,
  indexLink,
  version,
  newest,
  onRestored,
}: {
  link: string;
  indexLink: string;
  version: string;
  /** The latest version of the live document that is shown; undefined in an opened index. */
  newest: DocumentJson | undefined;
  onRestored: (written: DocumentJson) => void;
}) {
  const [found, setFound] = useState<DocumentJson>();
  const [error, setError] = useState<ApiError>();
  const [isSure, setSure] = useState(false);
  const { isBusy, problem, attempt } = useAttempt();
  useEffect(() => {
    const abort = new AbortController();
    getVersion(link, indexLink, version, abort.signal).then(setFound, (thrown: unknown) => {
      if (!abort.signal.aborted) setError(thrown as ApiError);
    });
    return () => abort.abort();
  }, []);
  if (error) return <Failure error={error} role="read" />;
  if (!found) return <p aria-busy="true">Reading…</p>;
  const isDeleted = found.action === "DOCUMENT_ACTION_DELETE";
  const text = prettyJson(textOf(found));
  const restore = () =>
    attempt(async () => {
      onRestored(await restoreVersion(found, newest));
    });
  return (
    <>
      <h3>Version {version}</h3>
      {isDeleted ? (
        <p>The document was deleted.</p>
      ) : (
        // It scrolls, so it must be reached by keyboard.
        <pre class="json" tabIndex={0} aria-label={`Version ${version}`}>
          {text.slice(0, shownCharacters)}
          {text.length > shownCharacters && "\n…"}
        </pre>
      )}
      {problem !== "" && <Notice kind="bad">{problem}</Notice>}
      {!isDeleted && newest?.version !== version && may("write") && (
        <div class="row">
          {isSure ? (
            <>
              <button type="button" class="danger" disabled={isBusy} onClick={restore}>
                Write these fields as a new version
              </button>
              <button type="button" onClick={() => setSure(false)}>
                Keep what is there
              </button>
            </>
          ) : (
            <button type="button" onClick={() => setSure(true)}>
              Restore this version
            </button>
          )}
        </div>
      )}
    </>
  );
}
