import {
  CheckDestinationResponseSchema,
  type CheckDestinationResponse,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { CommandContext } from "../command-context.js";
import { withFilesOrHost } from "../connect/session.js";
import { displayUri, toUri } from "../destination-uri.js";
import type { HostFlags } from "../flags.js";
import { formatBytes } from "../output/format.js";
import { list } from "../output/table.js";

/** Implements holdfast destination check. */
export async function checkDestination(
  context: CommandContext,
  flags: HostFlags,
  destination = "",
): Promise<void> {
  const uri = toUri(destination);
  await withFilesOrHost(context, flags, async (session) => {
    const { signal } = context.abort;
    const result = await session.management.checkDestination({ uri }, { signal });
    await context.printResult(CheckDestinationResponseSchema, result, () => resultText(result));
  });
}

function resultText({ uri, features, exclusive, freeBytes }: CheckDestinationResponse): string {
  return [
    `OK: ${displayUri(uri)} can be written, read, listed and cleaned up.`,
    list([
      ...features.map(({ name, enforced, consequence }): [string, string] => [
        name,
        enforced ? "enforced" : `not enforced${consequence === "" ? "" : `: ${consequence}`}`,
      ]),
      ["lock", exclusive ? "excludes other hosts" : "may fail between hosts"],
      ...(freeBytes === undefined
        ? []
        : [["free space", formatBytes(freeBytes)] as [string, string]]),
    ]),
  ].join("\n");
}
