import type { VerificationJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { ago, count, duration, utcTime } from "../text/format.js";
import { nameOf } from "../text/names.js";

/** The last verification: how thorough, when, and what came out. */
export function VerificationResult({
  verification,
  none = "not since it was written",
}: {
  verification: VerificationJson | undefined;
  /** What to say if there was none. */
  none?: string;
}) {
  if (!verification) return <span class="muted">{none}</span>;
  const { level, timeMicros, passed, problem, hostId, documents, restoreMicros, compared } =
    verification;
  const at = Number(timeMicros ?? 0);
  return (
    <span title={utcTime(at)}>
      <span class={passed ? "good" : "bad"}>
        {nameOf(level, "VERIFY_LEVEL_")} {passed ? "passed" : "failed"}
      </span>{" "}
      <span class="muted">
        {ago(at, Date.now() * 1000)}
        {hostId && ", by another host"}
        {passed &&
          level === "VERIFY_LEVEL_TEST_RESTORE" &&
          `, ${count(documents)} documents in ${duration(Number(restoreMicros ?? 0))}${compared ? ", equal to the live ones" : ""}`}
      </span>
      {problem && <div class="bad">{problem}</div>}
    </span>
  );
}
