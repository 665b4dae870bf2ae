import { create } from "@bufbuild/protobuf";
import {
  BackupPolicySchema,
  ListPoliciesResponseSchema,
  type BackupPolicy,
} from "../../../gen/ts/holdfast/management/v1/policy_pb.js";
import { HostError } from "../../errors.js";
import type { CommandContext } from "../command-context.js";
import { withHost, type Session } from "../connect/session.js";
import { toUri } from "../destination-uri.js";
import { optionOf, type HostFlags } from "../flags.js";
import { readPolicyFile } from "../read-policy-file.js";
import { withSettings, type PolicySettings } from "../policy-settings.js";
import { policyText } from "./policy-text.js";

/** Flags of holdfast policy add and holdfast policy edit. */
export interface PolicyEditFlags extends HostFlags, PolicySettings {
  file?: string;
  dryRun?: boolean;
}

const invalid = (problem: string) => new HostError("REQUEST_INVALID", problem);

/** Implements holdfast policy add: checks all given policies before it adds the first one. */
export async function addPolicies(
  context: CommandContext,
  flags: PolicyEditFlags,
  name?: string,
  destination?: string,
): Promise<void> {
  const { policies, isList } =
    flags.file === undefined
      ? { policies: [newPolicy(flags, name, destination)], isList: false }
      : await policiesOfFile(flags, flags.file, [name, destination]);
  requireDifferentNames(policies);
  await withHost(context, flags, async (session) => {
    const { signal } = context.abort;
    const checked: BackupPolicy[] = [];
    if (flags.dryRun || policies.length > 1)
      for (const policy of policies)
        checked.push(
          await session.policies.createPolicy({ policy, validateOnly: true }, { signal }),
        );
    const shown = flags.dryRun ? checked : await createAll(context, session, policies);
    const text = () =>
      [
        ...shown.map((policy) => policyText(context, policy)),
        flags.dryRun ? "Dry run, nothing was added." : `Added ${namesOf(shown)}.`,
      ].join("\n\n");
    const [only] = shown;
    if (only && !isList) await context.printResult(BackupPolicySchema, only, text);
    else
      await context.printResult(
        ListPoliciesResponseSchema,
        create(ListPoliciesResponseSchema, { policies: shown }),
        text,
      );
  });
}

/** Implements holdfast policy edit. */
export async function editPolicy(
  context: CommandContext,
  flags: PolicyEditFlags,
  name = "",
): Promise<void> {
  const { file } = flags;
  const given =
    file === undefined ? undefined : onlyOf((await policiesOfFile(flags, file, [])).policies, name);
  if (!given && settingsOf(flags).length === 0)
    throw invalid("No change is given. Name what to change, for example --keep-daily 14.");
  await withHost(context, flags, async (session) => {
    const { signal } = context.abort;
    const current = await session.policies.getPolicy({ name }, { signal });
    const policy = given
      ? { ...given, name, etag: given.etag || current.etag }
      : withSettings(current, flags);
    delete policy.status;
    signal.throwIfAborted();
    const validateOnly = flags.dryRun ?? false;
    const changed = await session.policies.updatePolicy({ policy, validateOnly });
    await context.printResult(BackupPolicySchema, changed, () =>
      [
        policyText(context, changed),
        validateOnly ? "Dry run, nothing was changed." : `Changed policy ${name}.`,
      ].join("\n\n"),
    );
  });
}

function newPolicy(flags: PolicyEditFlags, name = "", destination = ""): BackupPolicy {
  if (name === "" || destination === "")
    throw invalid(
      "A name and a destination are required: holdfast policy add NAME DEST, or holdfast policy add --file FILE.",
    );
  const empty = create(BackupPolicySchema, { name, destination: toUri(destination) });
  const policy = withSettings(empty, flags);
  if (!policy.schedule)
    throw invalid("A schedule is required: --cron EXPRESSION, --every DURATION or --continuous.");
  return policy;
}

/** Reads --file, with which no argument or option may set a field. */
async function policiesOfFile(
  flags: PolicyEditFlags,
  file: string,
  args: (string | undefined)[],
): ReturnType<typeof readPolicyFile> {
  const [option] = settingsOf(flags);
  const given = args.find((arg) => arg !== undefined) ?? (option && optionOf(option));
  if (given !== undefined)
    throw invalid(`--file cannot be combined with ${given}: the file states the whole policy.`);
  return readPolicyFile(file);
}

/** Names of the flags that set fields of a policy. */
function settingsOf(flags: PolicyEditFlags): string[] {
  const { file: _file, dryRun: _dryRun, ...others } = flags;
  return Object.keys(others).filter((flag) => !connectionAndOutput.has(flag));
}

const connectionAndOutput: ReadonlySet<string> = new Set<keyof HostFlags>([
  "address",
  "profile",
  "profiles",
  "token",
  "tokenFile",
  "tls",
  "caFile",
  "clientCert",
  "clientKey",
  "json",
  "quiet",
  "micros",
]);

function onlyOf(policies: BackupPolicy[], name: string): BackupPolicy {
  const [policy, ...others] = policies;
  if (!policy || others.length > 0)
    throw invalid(`--file must contain one policy, and not ${policies.length}.`);
  if (policy.name !== "" && policy.name !== name)
    throw invalid(
      `The policy in --file is ${policy.name}, not ${name}. A policy cannot be renamed: remove it and add it with the other name.`,
    );
  return policy;
}

function requireDifferentNames(policies: BackupPolicy[]): void {
  const names = policies.map(({ name }) => name);
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) throw invalid(`--file contains the policy ${repeated} twice.`);
}

const namesOf = (policies: BackupPolicy[]) =>
  `${policies.length === 1 ? "policy" : "policies"} ${policies.map(({ name }) => name).join(", ")}`;

async function createAll(
  context: CommandContext,
  session: Session,
  policies: BackupPolicy[],
): Promise<BackupPolicy[]> {
  const added: BackupPolicy[] = [];
  for (const policy of policies)
    try {
      context.abort.signal.throwIfAborted();
      added.push(await session.policies.createPolicy({ policy }));
    } catch (thrown) {
      if (added.length === 0) throw thrown;
      const error = await session.explain(thrown);
      throw new HostError(
        error.reason,
        `${error.message} Added ${namesOf(added)} before; the other policies of the file were not added.`,
        { cause: error, metadata: { ...error.metadata, added: namesOf(added) } },
      );
    }
  return added;
}
