import { InvalidArgumentError, Option, type Command } from "commander";
import { collect } from "../options.js";
import { clearableFields, type ClearableField } from "../flags.js";

const scheduleGroup = "Schedule:";
const retentionGroup = "Retention:";
const copiesGroup = "Copies:";
const checksGroup = "Checks:";
const notificationsGroup = "Notifications:";

const periods = [
  ["hourly", "hours"],
  ["daily", "days"],
  ["weekly", "ISO weeks"],
  ["monthly", "months"],
  ["yearly", "years"],
] as const;

const repeatable = (flags: string, help: string) => new Option(flags, help).argParser(collect);

/** Adds --keep-last to --keep-within; `fallback` describes the default. */
export function addRetention(command: Command, fallback = "no rule"): Command {
  const options = [
    new Option("--keep-last <N>", `keep the newest N backups (default: ${fallback})`),
    ...periods.map(
      ([rule, unit]) =>
        new Option(
          `--keep-${rule} <N>`,
          `keep the newest backup of each of the last N ${unit} with backups (default: ${fallback})`,
        ),
    ),
    new Option(
      "--keep-within <DURATION>",
      `keep backups at most this much older than the newest, for example 30d (default: ${fallback})`,
    ),
  ];
  for (const option of options) command.addOption(option.helpGroup(retentionGroup));
  return command;
}

/** Adds the options that set the fields of a policy. */
export function addPolicySettings(command: Command): Command {
  command
    .option("--index <LINK>", "index to back up (default: /core/document-index)")
    .addOption(
      new Option(
        "--compression <KIND>",
        "compression of new segments (default: as in backup)",
      ).choices(["none", "gzip", "zstd"]),
    )
    .addOption(
      repeatable(
        "--recipient <RECIPIENT>",
        "encrypt to this recipient of age (age1...); repeatable (default: those of the host)",
      ),
    )
    .addOption(
      new Option(
        "--acknowledge <WHEN>",
        "continuous: acknowledge writes when they are durable on the host, or copied too (default: local)",
      ).choices(["local", "copied"]),
    )
    .addOption(
      new Option(
        "--when-unreachable <EFFECT>",
        "copied: what happens to writes while the destination is unreachable (default: fail)",
      ).choices(["fail", "degrade"]),
    )
    .option(
      "--file <FILE>",
      "YAML or JSON with the fields of BackupPolicy in the API; - is standard input (default: none)",
    )
    .option("--dry-run", "check the policy and its destinations without changing anything");
  addSchedule(command);
  addRetention(command);
  addPromises(command);
  return addNotifications(command);
}

/** Adds --clear. */
export function addClear(command: Command): Command {
  const option = new Option(
    "--clear <FIELD>",
    "remove an optional field before other options apply; repeatable (default: none)",
  );
  const isField = (value: string): value is ClearableField =>
    (clearableFields as readonly string[]).includes(value);
  option.choices(clearableFields).argParser((value: string, previous?: ClearableField[]) => {
    if (!isField(value))
      throw new InvalidArgumentError(`Allowed choices are ${clearableFields.join(", ")}.`);
    return [...(previous ?? []), value];
  });
  return command.addOption(option);
}

function addSchedule(command: Command): void {
  const options = [
    new Option(
      "--cron <EXPRESSION>",
      "run at these times: minute, hour, day of month, month, day of week (default: none)",
    ),
    new Option("--every <DURATION>", "run at this interval, at least 1m (default: none)"),
    new Option("--continuous", "run at most half a second after each write"),
    new Option(
      "--time-zone <ZONE>",
      "IANA time zone of cron expressions and of retention (default: UTC)",
    ),
    new Option("--jitter <DURATION>", "delay each run by a random time up to this (default: none)"),
  ];
  for (const option of options) command.addOption(option.helpGroup(scheduleGroup));
}

function addPromises(command: Command): void {
  const retention = [
    new Option(
      "--window <DURATION>",
      "how far back a restore must be possible, for example 35d (default: no promise)",
    ),
  ];
  const copies = [
    repeatable("--copy <DEST>", "copy each backup to this destination; repeatable (default: none)"),
    new Option("--copy-cron <EXPRESSION>", "when to copy (default: after each run)"),
    new Option(
      "--copy-max-lag <DURATION>",
      "unhealthy if a copy is behind for longer (default: no limit)",
    ),
  ];
  const checks = [
    new Option("--verify-cron <EXPRESSION>", "when to verify the newest backup (default: never)"),
    new Option("--verify-level <LEVEL>", "extent of the verification (default: full)").choices([
      "metadata",
      "sample",
      "full",
      "test-restore",
    ]),
    new Option(
      "--restore-test-cron <EXPRESSION>",
      "when to restore the newest backup on trial and compare it (default: never)",
    ),
    new Option(
      "--max-age <DURATION>",
      "unhealthy if the newest backup is older (default: no limit)",
    ),
  ];
  for (const option of retention) command.addOption(option.helpGroup(retentionGroup));
  for (const option of copies) command.addOption(option.helpGroup(copiesGroup));
  for (const option of checks) command.addOption(option.helpGroup(checksGroup));
}

function addNotifications(command: Command): Command {
  const options = [
    repeatable(
      "--webhook <URL>",
      "send events to this URL, signed as Standard Webhooks defines; repeatable (default: none)",
    ),
    new Option(
      "--webhook-secret-file <FILE>",
      "file that contains only the secret of the webhooks, whsec_... (default: none)",
    ),
    repeatable(
      "--webhook-event <TYPE>",
      "send only events of this type, for example policy.run.failed; repeatable (default: all but policy.run.succeeded)",
    ),
    repeatable(
      "--heartbeat <URL>",
      "request this URL after each successful run; repeatable (default: none)",
    ),
  ];
  for (const option of options) command.addOption(option.helpGroup(notificationsGroup));
  return command;
}
