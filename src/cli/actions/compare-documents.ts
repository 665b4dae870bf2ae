import {
  CompareDocumentVersionsResponseSchema,
  DocumentAction,
  type CompareDocumentVersionsResponse,
  type Document,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import type { CommandContext } from "../command-context.js";
import { withHost } from "../connect/session.js";
import type { HostFlags } from "../flags.js";
import { printable, printableJson } from "../output/printable.js";
import { table } from "../output/table.js";
import { nowMicros, parseTime } from "../time.js";

/** Flags of holdfast documents compare. */
export interface CompareFlags extends HostFlags {
  from?: string;
  to?: string;
  fromIndex?: string;
  toIndex?: string;
}

const versionsDiffer = 1;

/** Implements holdfast documents compare. Returns the exit code: 1 if the versions differ, like diff(1). */
export async function compare(
  context: CommandContext,
  flags: CompareFlags,
  link = "",
): Promise<number> {
  const from = selectorOf(flags.from, flags.fromIndex);
  const to = selectorOf(flags.to, flags.toIndex);
  const request = { selfLink: link, ...(from && { from }), ...(to && { to }) };
  return withHost(context, flags, async ({ documents }) => {
    const { signal } = context.abort;
    const found = await documents.compareDocumentVersions(request, { signal });
    await context.printResult(CompareDocumentVersionsResponseSchema, found, () =>
      comparisonText(context, found),
    );
    return found.differences.length > 0 ? versionsDiffer : 0;
  });
}

/** Reads a version number or a time. Undefined: nothing is given. */
function selectorOf(given: string | undefined, indexLink: string | undefined) {
  if (given === undefined && indexLink === undefined) return undefined;
  return {
    ...(indexLink !== undefined && { indexLink }),
    // A time in microseconds has 16 digits, which no version number has.
    ...(given !== undefined &&
      (/^\d{1,15}$/.test(given)
        ? { version: BigInt(given) }
        : { timeMicros: parseTime(given, nowMicros()) })),
  };
}

function comparisonText(
  { formatTime }: CommandContext,
  { from, to, differences, truncated }: CompareDocumentVersionsResponse,
): string {
  const nameOf = (document: Document | undefined) =>
    document === undefined
      ? "no version"
      : `version ${document.version} of ${formatTime(document.updateTimeMicros)}${document.action === DocumentAction.DELETE ? ", deleted" : ""}`;
  const valueOf = (json: string | undefined) => (json === undefined ? "-" : printableJson(json));
  const rows = differences.map(({ path, fromJson, toJson }) => [
    printable(path),
    valueOf(fromJson),
    valueOf(toJson),
  ]);
  return [
    `From ${nameOf(from)} to ${nameOf(to)}:`,
    rows.length === 0
      ? "No differences."
      : table([{ head: "FIELD" }, { head: "FROM" }, { head: "TO" }], rows),
    ...(truncated ? ["There are more differences; export both versions to see them."] : []),
  ].join("\n");
}
