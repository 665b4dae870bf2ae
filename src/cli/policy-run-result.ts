import { PolicyRunState, type PolicyRun } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { HostError, reasons, type Reason } from "../errors.js";
import { displayUri } from "./destination-uri.js";

/**
 * Returns the error of a run that did not succeed, with the reason of its first failed step; undefined
 * for one that succeeded or is under way. Warnings and later failures are in the list of runs.
 */
export function errorOfRun(run: PolicyRun): HostError | undefined {
  const { id, policy, state, steps } = run;
  const metadata = { run: id, policy };
  if (state === PolicyRunState.INTERRUPTED)
    return new HostError(
      "SHUTTING_DOWN",
      `The host stopped before run ${id} of policy ${policy} ended. To start another one: holdfast policy run ${policy}`,
      { metadata },
    );
  if (state !== PolicyRunState.FAILED) return undefined;
  const failed = steps.filter(({ error }) => error !== "");
  const [first] = failed;
  if (!first)
    return new HostError("INTERNAL", `Run ${id} of policy ${policy} failed; see the host log.`, {
      metadata,
    });
  const reason = Object.hasOwn(reasons, first.errorReason)
    ? (first.errorReason as Reason)
    : "INTERNAL";
  const others = failed.length > 1 ? ` ${failed.length - 1} more of its steps failed.` : "";
  return new HostError(
    reason,
    `The ${first.kind} step of policy ${policy} at ${displayUri(first.destination)} failed: ${first.error}${others} To show all steps: holdfast policy runs ${policy}`,
    { metadata },
  );
}
