import { useEffect, useState } from "preact/hooks";
import type { CompareDocumentVersionsResponseJson } from "../../gen/ts/holdfast/document/v1/document_pb.js";
import { compareVersions, compareWithLive } from "../api/documents.js";
import type { ApiError } from "../api/request.js";
import { Time } from "./time.js";
import { Failure } from "./failure.js";

const deleted = "DOCUMENT_ACTION_DELETE";

/** The fields in which two versions differ; in an opened index also from the live document. */
export function DocumentComparison({
  link,
  indexLink,
  version,
  other,
}: {
  link: string;
  indexLink: string;
  version: string;
  /** Undefined: there is no version before it. */
  other: string | undefined;
}) {
  return (
    <>
      {other !== undefined && other !== version && (
        <Differences
          title={`From version ${other} to version ${version}`}
          ask={(signal) => compareVersions(link, indexLink, { from: other, to: version }, signal)}
          inputs={[link, indexLink, version, other]}
        />
      )}
      {indexLink !== "" && (
        <Differences
          title={`From version ${version} here to the live document`}
          ask={(signal) => compareWithLive(link, indexLink, version, signal)}
          inputs={[link, indexLink, version]}
        />
      )}
    </>
  );
}

function Differences({
  title,
  ask,
  inputs,
}: {
  title: string;
  ask: (signal: AbortSignal) => Promise<CompareDocumentVersionsResponseJson>;
  inputs: readonly unknown[];
}) {
  const [found, setFound] = useState<CompareDocumentVersionsResponseJson>();
  const [error, setError] = useState<ApiError>();
  useEffect(() => {
    const abort = new AbortController();
    setError(undefined);
    ask(abort.signal).then(setFound, (thrown: unknown) => {
      if (!abort.signal.aborted) setError(thrown as ApiError);
    });
    return () => abort.abort();
  }, inputs);
  const differences = found?.differences ?? [];
  return (
    <section>
      <h3>{title}</h3>
      {error && <Failure error={error} role="read" />}
      {found?.to?.action === deleted && (
        <p class="bad">
          It was deleted <Time micros={found.to.updateTimeMicros} />.
        </p>
      )}
      {found?.from?.action === deleted && <p>It was deleted before.</p>}
      {found && !error && differences.length === 0 && found.to?.action !== deleted && (
        <p>No differences.</p>
      )}
      {!error && differences.length > 0 && (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Field</th>
                <th scope="col">From</th>
                <th scope="col">To</th>
              </tr>
            </thead>
            <tbody>
              {differences.map(({ path, fromJson, toJson }) => (
                <tr key={path}>
                  <td>
                    <code>{path}</code>
                  </td>
                  <td class="bad">
                    <code>{fromJson ?? "–"}</code>
                  </td>
                  <td class="good">
                    <code>{toJson ?? "–"}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {found?.truncated && <p>There are more.</p>}
    </section>
  );
}
