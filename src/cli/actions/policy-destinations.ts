import type { PolicyDestination } from "../../../gen/ts/holdfast/management/v1/policy_pb.js";
import { displayUri } from "../destination-uri.js";
import { formatAge, formatCount, formatDuration } from "../output/format.js";
import { table } from "../output/table.js";

/** Formats the status of a policy at each destination as a table. Why something failed is in the problems of the policy. */
export function destinationTable(destinations: readonly PolicyDestination[], now: bigint): string {
  const columns = [
    { head: "DESTINATION" },
    { head: "LAST SUCCESS" },
    { head: "LAG", right: true },
    { head: "LAST VERIFICATION" },
    { head: "LAST RESTORE TEST" },
  ];
  return table(
    columns,
    destinations.map((one) => [
      `${displayUri(one.uri)}${one.copy ? " (copy)" : ""}`,
      formatAge(one.lastSuccessMicros, now),
      lagText(one),
      verificationText(one, now),
      restoreTestText(one, now),
    ]),
  );
}

/** Before the first backup there is nothing to be behind of. */
function lagText({ copy, lagMicros, lastSuccessMicros }: PolicyDestination): string {
  if (!copy) return "";
  return lagMicros === 0n && lastSuccessMicros === 0n ? "-" : formatDuration(lagMicros);
}

function verificationText({ lastVerification }: PolicyDestination, now: bigint): string {
  if (!lastVerification) return "never";
  const { timeMicros, passed } = lastVerification;
  return `${passed ? "passed" : "FAILED"} ${formatAge(timeMicros, now)}`;
}

function restoreTestText({ lastRestoreTest }: PolicyDestination, now: bigint): string {
  if (!lastRestoreTest) return "never";
  const { timeMicros, passed, documents, restoreMicros, compared } = lastRestoreTest;
  if (!passed) return `FAILED ${formatAge(timeMicros, now)}`;
  return `passed ${formatAge(timeMicros, now)}: ${formatCount(documents, "document")} in ${formatDuration(restoreMicros)}${compared ? "" : ", not compared with the live index"}`;
}
