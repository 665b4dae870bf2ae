import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";
import { addClear, addPolicySettings, addRetention } from "./policy-settings.js";

/** Adds the commands of `holdfast policy`. */
export function addPolicy(program: Command): void {
  const group = program
    .command("policy")
    .description("manage backup policies: scheduled and continuous backups, copies and retention");
  for (const add of [addAdd, addEdit, addShow, addRun, addState, addRemove, addPreview]) add(group);
  addNotifications(group);
}

const finish = (command: Command, examples: [description: string, line: string][]) =>
  addExamples(addOutputOptions(addHostOptions(command), { times: true }), examples);

function addAdd(group: Command): void {
  const add = group
    .command("add")
    .description("add a policy, and show its next runs")
    .argument("[NAME]", "name: lower-case letters, digits and hyphens; omitted with --file")
    .argument("[DEST]", "destination, as seen by the host: a path or URI; omitted with --file")
    .action(lazyAction(async () => (await import("../actions/policy-edit.js")).addPolicies));
  finish(addPolicySettings(add), [
    [
      "Every night at 3, keeping 7 daily and 12 monthly backups",
      "holdfast policy add nightly /backups/shop --cron '0 3 * * *' --time-zone Europe/Berlin --keep-daily 7 --keep-monthly 12",
    ],
    [
      "After each write, with an hourly copy and a weekly restore test",
      "holdfast policy add live /backups/shop --continuous --copy s3://bucket/shop --copy-cron '0 * * * *' --restore-test-cron '0 5 * * 0'",
    ],
    ["Check a file of policies", "holdfast policy add --file policies.yaml --dry-run"],
  ]);
}

function addEdit(group: Command): void {
  const edit = group
    .command("edit")
    .description("change a policy: only what the options give, or all of it with --file")
    .argument("<NAME>", "name of the policy")
    .option("--destination <DEST>", "other destination: a path or URI (default: the current one)")
    .action(lazyAction(async () => (await import("../actions/policy-edit.js")).editPolicy));
  finish(addClear(addPolicySettings(edit)), [
    ["Keep more backups", "holdfast policy edit nightly --keep-daily 14"],
    ["Every six hours, without jitter", "holdfast policy edit nightly --every 6h --clear jitter"],
  ]);
}

function addShow(group: Command): void {
  const list = group
    .command("list")
    .description("list policies with their last backup, next run and health")
    .action(lazyAction(async () => (await import("../actions/policy.js")).listPolicies));
  finish(list, [["The local host", "holdfast policy list"]]);
  const show = group
    .command("show")
    .description("show a policy: its settings, destinations, checks, next runs and problems")
    .argument("<NAME>", "name of the policy")
    .action(lazyAction(async () => (await import("../actions/policy.js")).showPolicy));
  finish(show, [["Why a policy is unhealthy", "holdfast policy show nightly"]]);
  const runs = group
    .command("runs")
    .description("list the runs of a policy, newest first")
    .argument("<NAME>", "name of the policy")
    .option("--limit <N>", "largest number of runs, at most 1000", "20")
    .action(lazyAction(async () => (await import("../actions/policy-run.js")).listRuns));
  finish(runs, [["The last five runs", "holdfast policy runs nightly --limit 5"]]);
}

function addRun(group: Command): void {
  const run = group
    .command("run")
    .description("start a run of a policy now")
    .argument("<NAME>", "name of the policy")
    .option("--verify", "verify the newest backup of each destination instead")
    .option("--restore-test", "restore the newest backup of each destination on trial instead")
    .option("--copy", "copy the newest backup to all copies instead")
    .option("--wait", "wait until the run has ended; fail if it fails. Ctrl-C stops waiting")
    .action(lazyAction(async () => (await import("../actions/policy-run.js")).runPolicy));
  finish(run, [
    ["Back up now, and wait for the result", "holdfast policy run nightly --wait"],
    ["Prove that the backups restore", "holdfast policy run nightly --restore-test --wait"],
  ]);
}

function addState(group: Command): void {
  const pause = group
    .command("pause")
    .description("pause a policy: nothing runs until it is resumed; a run under way continues")
    .argument("<NAME>", "name of the policy")
    .action(lazyAction(async () => (await import("../actions/policy.js")).pausePolicy));
  finish(pause, [["During maintenance", "holdfast policy pause nightly"]]);
  const resume = group
    .command("resume")
    .description("resume a paused policy")
    .argument("<NAME>", "name of the policy")
    .action(lazyAction(async () => (await import("../actions/policy.js")).resumePolicy));
  finish(resume, [["After maintenance", "holdfast policy resume nightly"]]);
}

function addRemove(group: Command): void {
  const remove = group
    .command("remove")
    .description("remove a policy and the history of its runs; its backups stay")
    .argument("<NAME>", "name of the policy")
    .option("--yes", "do not prompt for confirmation")
    .action(lazyAction(async () => (await import("../actions/policy-remove.js")).removePolicy));
  finish(remove, [["In a script", "holdfast policy remove nightly --yes"]]);
}

function addPreview(group: Command): void {
  const preview = group
    .command("preview")
    .description("show which backups retention keeps and removes, with reasons; removes nothing")
    .argument("<NAME>", "name of the policy")
    .action(lazyAction(async () => (await import("../actions/policy-preview.js")).previewPolicy));
  finish(addRetention(preview, "the rules of the policy, if no option is given"), [
    ["The rules of the policy", "holdfast policy preview nightly"],
    ["Other rules", "holdfast policy preview nightly --keep-daily 14 --keep-weekly 8"],
  ]);
}

function addNotifications(group: Command): void {
  const load = () => import("../actions/policy-deliveries.js");
  const deliveries = group
    .command("deliveries")
    .description("list the notifications that a policy sent, newest first")
    .argument("<NAME>", "name of the policy")
    .action(lazyAction(async () => (await load()).listDeliveries));
  finish(deliveries, [["Find a failed delivery", "holdfast policy deliveries nightly"]]);
  const replay = group
    .command("replay")
    .description("send a notification again, with the same identifier")
    .argument("<DELIVERY>", "identifier, as shown by holdfast policy deliveries")
    .action(lazyAction(async () => (await load()).replayDelivery));
  finish(replay, [
    [
      "After the receiver was repaired",
      "holdfast policy replay bedc2904-d532-43bf-9dcd-a13bb42edcb0",
    ],
  ]);
  const test = group
    .command("test-notifications")
    .description("send a test event to all webhooks of a policy")
    .argument("<NAME>", "name of the policy")
    .action(lazyAction(async () => (await load()).testNotifications));
  finish(test, [["Check the webhooks", "holdfast policy test-notifications nightly"]]);
}
