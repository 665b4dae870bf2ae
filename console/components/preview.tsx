import { useEffect, useState } from "preact/hooks";
import type {
  DiffBackupsResponseJson,
  DocumentDifferenceJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { previewRestore } from "../api/host.js";
import type { ApiError } from "../api/request.js";
import { count } from "../text/format.js";
import { documentRoute } from "../text/routes.js";
import { Notice } from "./notice.js";

const shown = 5;

/** A restore of documents below a path leaves those that are newer. */
const stays = ["stays: it is newer", "stay: they are newer"] as const;

const groups = [
  ["DOCUMENT_CHANGE_CREATED", "created", "comes back", "come back"],
  ["DOCUMENT_CHANGE_DELETED", "deleted", "goes", "go"],
  ["DOCUMENT_CHANGE_CHANGED", "changed", "changes back", "change back"],
] as const;

interface Found {
  first: Partial<Record<string, DocumentDifferenceJson[]>>;
  summary?: DiffBackupsResponseJson["summary"];
  progress?: DiffBackupsResponseJson["progress"];
}

/** What a restore would change, of the whole index or of the documents below a path. */
export function Preview({
  indexLink,
  timeMicros,
  prefix,
}: {
  indexLink: string;
  timeMicros: number;
  /** Empty: the whole index. */
  prefix: string;
}) {
  const [found, setFound] = useState<Found>({ first: {} });
  const [error, setError] = useState<ApiError>();
  useEffect(() => {
    const abort = new AbortController();
    const run = async () => {
      const first: Found["first"] = {};
      for await (const message of previewRestore({ indexLink, timeMicros, prefix }, abort.signal)) {
        for (const one of message.differences ?? []) {
          const group = (first[one.change ?? ""] ??= []);
          if (group.length < shown) group.push(one);
        }
        setFound({ first, summary: message.summary, progress: message.progress });
      }
    };
    run().catch((thrown: unknown) => {
      if (!abort.signal.aborted) setError(thrown as ApiError);
    });
    return () => abort.abort();
  }, []);
  const { first, summary, progress } = found;
  return (
    <section class="card" aria-busy={!summary && !error}>
      <h2>What changes</h2>
      {prefix !== "" && (
        <p class="muted">
          below <code>{prefix}</code>
        </p>
      )}
      {error && <Notice kind="bad">{error.message}</Notice>}
      {!summary && !error && (
        <p>Comparing… {progress?.recordsDone ? `${count(progress.recordsDone)} documents` : ""}</p>
      )}
      {summary &&
        groups.map(([change, field, ...words]) => {
          const [one, more] = prefix !== "" && field === "deleted" ? stays : words;
          return (
            <details key={change} open={Number(summary[field] ?? 0) > 0}>
              <summary>
                <strong>{count(summary[field])}</strong>{" "}
                {summary[field] === "1" ? `document ${one}` : `documents ${more}`}
              </summary>
              <ul class="links">
                {(first[change] ?? []).map(({ selfLink }) => (
                  <li key={selfLink}>
                    <a href={documentRoute(selfLink ?? "")}>{selfLink}</a>
                  </li>
                ))}
              </ul>
            </details>
          );
        })}
    </section>
  );
}
