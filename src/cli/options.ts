import { Option, type Command } from "commander";

const connectionGroup = "Connection:";
const outputGroup = "Output:";

const grouped = (heading: string, flags: string, help: string) =>
  new Option(flags, help).helpGroup(heading);

/**
 * Adds --json (unless `json` is false), --quiet, and for commands that print times (`times`)
 * --micros.
 */
export function addOutputOptions(
  command: Command,
  { json = true, times = false }: { json?: boolean; times?: boolean } = {},
): Command {
  if (json)
    command.addOption(
      grouped(outputGroup, "--json", "print one JSON document, described in docs/cli-json.md"),
    );
  if (times)
    command.addOption(
      grouped(outputGroup, "--micros", "print times as microseconds since 1970, not as RFC 3339"),
    );
  return command.addOption(grouped(outputGroup, "--quiet", "print errors only"));
}

/**
 * Adds the options that select a host and the connection to it; with `offline` those of a command
 * that needs no host.
 */
export function addHostOptions(
  command: Command,
  { offline = false }: { offline?: boolean } = {},
): Command {
  const options = [
    grouped(
      connectionGroup,
      "--address <HOST:PORT>",
      `gRPC address of the host, with https:// for TLS; env HOLDFAST_ADDRESS (default: ${offline ? "none, read files locally" : "127.0.0.1:8001"})`,
    ),
    grouped(
      connectionGroup,
      "--profile <NAME>",
      "host from the profiles file; env HOLDFAST_PROFILE (default: none)",
    ),
    grouped(
      connectionGroup,
      "--profiles <FILE>",
      "profiles file; env HOLDFAST_PROFILES (default: ~/.config/holdfast/profiles.yaml)",
    ),
    grouped(
      connectionGroup,
      "--token <TOKEN>",
      "token for the host; env HOLDFAST_TOKEN (default: none)",
    ),
    grouped(
      connectionGroup,
      "--token-file <FILE>",
      "file that contains only the token (default: none)",
    ),
    grouped(connectionGroup, "--tls", "use TLS"),
    grouped(
      connectionGroup,
      "--ca-file <FILE>",
      `PEM file of additional trusted CAs${offline ? ", also of a store without a host" : ""} (default: none)`,
    ),
    grouped(
      connectionGroup,
      "--client-cert <FILE>",
      "PEM client certificate; requires --client-key (default: none)",
    ),
    grouped(
      connectionGroup,
      "--client-key <FILE>",
      "PEM private key of the client certificate (default: none)",
    ),
  ];
  if (offline)
    options.push(
      grouped(
        connectionGroup,
        "--offline",
        "read files locally; ignore HOLDFAST_ADDRESS and HOLDFAST_PROFILE",
      ),
    );
  for (const option of options) command.addOption(option);
  return command;
}

/** Adds --detach. */
export function addDetach(command: Command): Command {
  return command.option(
    "--detach",
    "start the operation, print its name and exit; see holdfast operations watch",
  );
}

/** Adds --prefix, --kind and --link. */
export function addSelection(command: Command): Command {
  return command
    .option(
      "--prefix <LINK>",
      "only documents whose link starts with LINK; repeatable (default: all)",
      collect,
    )
    .option("--kind <KIND>", "only documents of this kind; repeatable (default: all)", collect)
    .option("--link <LINK>", "only this document; repeatable (default: all)", collect);
}

/** Argument parser for a repeatable option: collects its values in an array. */
export function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** Adds examples to the help of a command: pairs of a description and a command line. */
export function addExamples(
  command: Command,
  examples: readonly (readonly [description: string, line: string])[],
): Command {
  return command.addHelpText(
    "after",
    `\nExamples:\n${examples.map(([description, line]) => `  # ${description}\n  ${line}`).join("\n")}`,
  );
}
