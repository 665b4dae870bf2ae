import { useState } from "preact/hooks";
import type {
  ListOperationsResponseJson,
  OperationJson,
} from "../../gen/ts/google/longrunning/operations_pb.js";
import { cancelOperation, metadataOf, restoreResultOf } from "../api/host.js";
import type { Polled } from "../api/polled.js";
import { Notice } from "../components/notice.js";
import { OperationProgress } from "../components/operation-progress.js";
import { duration, localSecond } from "../text/format.js";
import { nameOf } from "../text/names.js";

/** What an operation is, and of what. */
function whatOf(operation: OperationJson): string {
  const { kind, target } = metadataOf(operation);
  const { selection, validateOnly, targetTimeMicros } = restoreResultOf(operation);
  const name = target?.startsWith("transfer:") ? "download" : nameOf(kind, "OPERATION_KIND_");
  return [
    name,
    ...(selection ? ["of some documents"] : []),
    ...(targetTimeMicros === undefined ? [] : [`to ${localSecond(Number(targetTimeMicros))}`]),
    ...(validateOnly ? ["(a trial: nothing was changed)"] : []),
  ].join(" ");
}

/** What is under way, and what has ended. */
export function Operations({ answer, error }: Polled<ListOperationsResponseJson>) {
  const [problem, setProblem] = useState("");
  const cancel = (name = "") =>
    cancelOperation(name).then(
      () => setProblem(""),
      (thrown: unknown) => setProblem((thrown as Error).message),
    );
  const all = answer?.operations ?? [];
  const running = all.filter(({ done }) => !done);
  const ended = all.filter(({ done }) => done);
  return (
    <>
      <h1>Operations</h1>
      {error && <Notice kind="bad">{error.message}</Notice>}
      {problem !== "" && <Notice kind="bad">{problem}</Notice>}
      {running.map((operation) => (
        <section key={operation.name} class="card">
          <OperationProgress
            what={`${whatOf(operation)} ${metadataOf(operation).target ?? ""}`}
            operation={operation}
          />
          <button type="button" onClick={() => void cancel(operation.name)}>
            Cancel
          </button>
        </section>
      ))}
      {answer && running.length === 0 && <p>Nothing is under way.</p>}
      {ended.length > 0 && (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th>Began</th>
                <th>Operation</th>
                <th>Took</th>
                <th>Result</th>
              </tr>
            </thead>
            <tbody>
              {ended.map((operation) => (
                <Ended key={operation.name} operation={operation} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function Ended({ operation }: { operation: OperationJson }) {
  const { startTimeMicros, endTimeMicros, target } = metadataOf(operation);
  const began = Number(startTimeMicros ?? 0);
  return (
    <tr>
      <td>{localSecond(began)}</td>
      <td>
        {whatOf(operation)} <span class="muted">{target}</span>
      </td>
      <td>{duration(Number(endTimeMicros ?? began) - began)}</td>
      <td class={operation.error ? "bad" : "good"}>
        {operation.error ? operation.error.message : "done"}
      </td>
    </tr>
  );
}
