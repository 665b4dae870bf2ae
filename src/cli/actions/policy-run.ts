import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import {
  ListPolicyRunsResponseSchema,
  PolicyRunKind,
  PolicyRunReason,
  PolicyRunSchema,
  PolicyRunState,
  type PolicyRun,
  type PolicyRunStep,
} from "../../../gen/ts/holdfast/management/v1/policy_pb.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { CommandContext } from "../command-context.js";
import { withHost, type Session } from "../connect/session.js";
import { displayUri } from "../destination-uri.js";
import type { HostFlags } from "../flags.js";
import { formatAge, formatBytes, formatCount, formatDuration } from "../output/format.js";
import { startProgress } from "../output/progress.js";
import { warningsOf } from "../output/result.js";
import { table } from "../output/table.js";
import { errorOfRun } from "../policy-run-result.js";
import { nowMicros } from "../time.js";

/** Flags of holdfast policy run. */
export interface RunPolicyFlags extends HostFlags {
  verify?: boolean;
  restoreTest?: boolean;
  copy?: boolean;
  wait?: boolean;
}

/** Flags of holdfast policy runs. */
export interface ListRunsFlags extends HostFlags {
  limit?: string;
}

/** Implements holdfast policy run. With --wait it throws the error of a run that failed. */
export async function runPolicy(
  context: CommandContext,
  flags: RunPolicyFlags,
  name = "",
): Promise<void> {
  const kind = kindOf(flags);
  await withHost(context, flags, async (session) => {
    const started = await session.policies.runPolicy({ name, kind });
    if (!flags.wait)
      return context.printResult(
        PolicyRunSchema,
        started,
        () => `Started run ${started.id}. To see the result: holdfast policy runs ${name}`,
      );
    const run = await waitForRun(context, session, started);
    const error = errorOfRun(run);
    if (error) throw error;
    return context.printResult(PolicyRunSchema, run, () => runText(run));
  });
}

/** Implements holdfast policy runs. */
export async function listRuns(
  context: CommandContext,
  flags: ListRunsFlags,
  name = "",
): Promise<void> {
  const { limit = "20" } = flags;
  const pageSize = Number(limit);
  if (!/^\d{1,4}$/.test(limit) || pageSize < 1 || pageSize > limits.policyRuns)
    throw new HostError(
      "REQUEST_INVALID",
      `--limit must be a whole number from 1 to ${limits.policyRuns}.`,
    );
  await withHost(context, flags, async ({ policies }) => {
    const { runs } = await policies.listPolicyRuns(
      { name, pageSize },
      { signal: context.abort.signal },
    );
    const response = create(ListPolicyRunsResponseSchema, { runs });
    await context.printResult(ListPolicyRunsResponseSchema, response, () =>
      runs.length === 0 ? "No runs." : runTable(runs),
    );
  });
}

function kindOf({ verify, restoreTest, copy }: RunPolicyFlags): PolicyRunKind {
  if ([verify, restoreTest, copy].filter(Boolean).length > 1)
    throw new HostError("REQUEST_INVALID", "Use one of --verify, --restore-test and --copy.");
  if (verify) return PolicyRunKind.VERIFY;
  if (restoreTest) return PolicyRunKind.RESTORE_TEST;
  return copy ? PolicyRunKind.COPY : PolicyRunKind.BACKUP;
}

/**
 * Follows a run until it has ended. A run that waits for another one is not listed yet. An abort stops
 * following; the run continues.
 */
async function waitForRun(
  context: CommandContext,
  session: Session,
  { id, policy: name }: PolicyRun,
): Promise<PolicyRun> {
  const { signal } = context.abort;
  const progress = startProgress(context);
  try {
    for (;;) {
      const run = await findRun(session, name, id, signal);
      if (run && run.endTimeMicros > 0n) return run;
      const steps = run?.steps.length ?? 0;
      progress.update({
        stage: run ? `run ${id} is under way` : `run ${id} is waiting`,
        done: steps,
        total: 0,
        unit: "records",
        detail: steps === 0 ? "" : `${formatCount(steps, "step")} done`,
      });
      await sleep(limits.policyRunPollMs, undefined, { signal });
    }
  } finally {
    progress.stop();
  }
}

async function findRun(
  { policies }: Session,
  name: string,
  id: string,
  signal: AbortSignal,
): Promise<PolicyRun | undefined> {
  let pageToken = "";
  do {
    const page = await policies.listPolicyRuns({ name, pageToken }, { signal });
    const run = page.runs.find((one) => one.id === id);
    if (run) return run;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return undefined;
}

const enumText = (name: string | undefined) =>
  (name ?? "unknown").toLowerCase().replaceAll("_", " ");

/** Formats runs as a table, in the order given. */
export function runTable(runs: readonly PolicyRun[], now = nowMicros()): string {
  const columns = [
    { head: "RUN" },
    { head: "KIND" },
    { head: "REASON" },
    { head: "STATE" },
    { head: "STARTED" },
    { head: "DURATION", right: true },
    { head: "STEPS" },
  ];
  return table(
    columns,
    runs.map((run) => [
      run.id,
      enumText(PolicyRunKind[run.kind]),
      enumText(PolicyRunReason[run.reason]),
      enumText(PolicyRunState[run.state]),
      formatAge(run.startTimeMicros, now),
      run.endTimeMicros === 0n ? "" : formatDuration(run.endTimeMicros - run.startTimeMicros),
      run.steps.map(stepText).join("; "),
    ]),
  );
}

function stepText(step: PolicyRunStep): string {
  const at = `${step.kind} at ${displayUri(step.destination)}`;
  if (step.error !== "") return `${at} FAILED: ${step.error}`;
  const removed = step.removedBackups.length;
  if (step.kind === "retention") return `${at}: removed ${formatCount(removed, "backup")}`;
  const copied = step.copiedBackups.length;
  const more = copied > 1 ? `${formatCount(copied, "backup")}, the newest ${step.backupName}` : "";
  return `${at}: ${[more || step.backupName, step.bytes > 0n ? formatBytes(step.bytes) : ""].filter((part) => part !== "").join(", ")}`;
}

function runText(run: PolicyRun): string {
  return [
    `Run ${run.id} of policy ${run.policy} succeeded in ${formatDuration(run.endTimeMicros - run.startTimeMicros)}.`,
    ...run.steps.map((step) => `  ${stepText(step)}`),
    ...warningsOf(run.steps.flatMap(({ warnings }) => warnings)),
  ].join("\n");
}
