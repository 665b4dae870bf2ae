import { create } from "@bufbuild/protobuf";
import {
  BackupPolicySchema,
  ListPoliciesResponseSchema,
} from "../../../gen/ts/holdfast/management/v1/policy_pb.js";
import type { CommandContext } from "../command-context.js";
import { withHost } from "../connect/session.js";
import { listAllPolicies } from "../list-policies.js";
import type { HostFlags } from "../flags.js";
import { policyTable, policyText } from "./policy-text.js";

/** Implements holdfast policy list. */
export async function listPolicies(context: CommandContext, flags: HostFlags): Promise<void> {
  await withHost(context, flags, async (session) => {
    const policies = await listAllPolicies(session, context.abort.signal);
    const response = create(ListPoliciesResponseSchema, { policies });
    await context.printResult(ListPoliciesResponseSchema, response, () =>
      policies.length === 0
        ? "No policies. To add one: holdfast policy add NAME DEST --cron '0 3 * * *'"
        : policyTable(policies),
    );
  });
}

/** Implements holdfast policy show. */
export async function showPolicy(
  context: CommandContext,
  flags: HostFlags,
  name = "",
): Promise<void> {
  await withHost(context, flags, async ({ policies }) => {
    const policy = await policies.getPolicy({ name }, { signal: context.abort.signal });
    await context.printResult(BackupPolicySchema, policy, () => policyText(context, policy));
  });
}

/** Implements holdfast policy pause. */
export async function pausePolicy(
  context: CommandContext,
  flags: HostFlags,
  name = "",
): Promise<void> {
  await withHost(context, flags, async ({ policies }) => {
    const policy = await policies.pausePolicy({ name });
    await context.printResult(
      BackupPolicySchema,
      policy,
      () => `Paused policy ${name}. To resume it: holdfast policy resume ${name}`,
    );
  });
}

/** Implements holdfast policy resume. */
export async function resumePolicy(
  context: CommandContext,
  flags: HostFlags,
  name = "",
): Promise<void> {
  await withHost(context, flags, async ({ policies }) => {
    const policy = await policies.resumePolicy({ name });
    const [next] = policy.status?.nextRunsMicros ?? [];
    await context.printResult(
      BackupPolicySchema,
      policy,
      () =>
        `Resumed policy ${name}.${next === undefined ? "" : ` The next run starts at ${context.formatTime(next)}.`}`,
    );
  });
}
