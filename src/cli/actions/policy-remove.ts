import { DeletePolicyResponseSchema } from "../../../gen/ts/holdfast/management/v1/policy_pb.js";
import type { CommandContext } from "../command-context.js";
import { confirm, declined } from "../confirm.js";
import { undefinedIfForbidden, withHost } from "../connect/session.js";
import { displayUri } from "../destination-uri.js";
import type { HostFlags } from "../flags.js";

/** Flags of holdfast policy remove. */
export interface RemovePolicyFlags extends HostFlags {
  yes?: boolean;
}

/** Implements holdfast policy remove. Returns the exit code if the user declines. */
export async function removePolicy(
  context: CommandContext,
  flags: RemovePolicyFlags,
  name = "",
): Promise<number | undefined> {
  return withHost(context, flags, async (session) => {
    const { signal } = context.abort;
    const policy = await undefinedIfForbidden(
      session,
      flags.yes,
      session.policies.getPolicy({ name }, { signal }),
    );
    const backups = policy
      ? `Its backups stay: ${[policy, ...policy.copies].map(({ destination }) => displayUri(destination)).join(", ")}.`
      : "Its backups stay.";
    if (!flags.yes)
      await context.printText(
        `Will remove policy ${name} and the history of its runs. A run under way is cancelled. ${backups}`,
      );
    if (!(await confirm(context, "Remove this policy?", flags.yes))) return declined(context);
    signal.throwIfAborted();
    const response = await session.policies.deletePolicy({ name });
    await context.printResult(
      DeletePolicyResponseSchema,
      response,
      () => `Removed policy ${name}. ${backups}`,
    );
    return undefined;
  });
}
