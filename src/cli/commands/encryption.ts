import { Option, type Command } from "commander";
import { collect } from "../options.js";

const group = "Encryption:";

const passphraseOptions = (what: string) => [
  new Option("--passphrase", `prompt for the passphrase ${what}`).helpGroup(group),
  new Option(
    "--passphrase-file <FILE>",
    `file that contains only the passphrase ${what} (default: none)`,
  ).helpGroup(group),
];

/** Adds the options of a command that reads backups. */
export function addDecryption(command: Command): Command {
  command.addOption(
    new Option(
      "--identity <FILE>",
      "identity file of age, for an encrypted backup; repeatable (default: none)",
    )
      .argParser(collect)
      .helpGroup(group),
  );
  for (const option of passphraseOptions("of the backup")) command.addOption(option);
  command.addOption(
    new Option(
      "--trusted-signers <FILE>",
      "without a host: allowed_signers file; other backups are not used (default: none)",
    ).helpGroup(group),
  );
  return command;
}

/** Adds the options of a command that writes backups. */
export function addEncryption(command: Command): Command {
  const options = [
    new Option(
      "--recipient <RECIPIENT>",
      "encrypt to this recipient of age (age1...); repeatable (default: those of the host)",
    ).argParser(collect),
    new Option(
      "--recipients-file <FILE>",
      "encrypt to the recipients in this file, one per line (default: none)",
    ),
    ...passphraseOptions("to encrypt with; every backup is then a full one"),
    new Option(
      "--keep-chain",
      "directory: continue a chain with other recipients, instead of writing a new base",
    ),
    new Option(
      "--no-encryption",
      "write in the clear although the host has recipients or the chain is encrypted",
    ),
  ];
  for (const option of options) command.addOption(option.helpGroup(group));
  return command;
}
